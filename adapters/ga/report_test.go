package ga

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/pipeline"
)

// dayCounts is what a dashboard would show of a day.
type dayCounts struct {
	Sessions, Bounces, Views int
	Seconds                  float64
	Pages, Entries           map[string]int // views, sessions
	Names                    map[string]int
	Sources, Countries       map[string]int // sessions
	Devices                  map[string]int
}

func recountDays(events []pipeline.Event) map[string]*dayCounts {
	type visit struct {
		first, last pipeline.Micros
		views       int
	}
	days := map[string]*dayCounts{}
	visits := map[string]*visit{}
	dayOf := map[string]string{}
	for _, ev := range events {
		date := ev.Time.Time().Format(time.DateOnly)
		d := days[date]
		if d == nil {
			d = &dayCounts{Pages: map[string]int{}, Entries: map[string]int{}, Names: map[string]int{}, Sources: map[string]int{}, Countries: map[string]int{}, Devices: map[string]int{}}
			days[date] = d
		}
		page := withQuestion(ev.Path, strings.TrimPrefix(strings.Split("&"+ev.Query, "&utm_")[0], "&"))
		v := visits[ev.Session]
		if v == nil {
			v = &visit{first: ev.Time}
			visits[ev.Session], dayOf[ev.Session] = v, date
			d.Sessions++
			d.Entries[page]++
			_, query, _ := strings.Cut("&"+ev.Query, "&utm_source=")
			d.Sources[query]++
			d.Countries[ev.Country]++
			d.Devices[ev.Device]++
		}
		v.last = ev.Time
		if ev.Kind == pipeline.Pageview {
			v.views++
			d.Views++
			d.Pages[page]++
		} else {
			d.Names[ev.Name]++
		}
	}
	for session, v := range visits {
		d := days[dayOf[session]]
		d.Seconds += float64(v.last-v.first) / 1e6
		if v.views == 1 {
			d.Bounces++
		}
	}
	return days
}

func expect(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestReportTables(t *testing.T) {
	events, stats, reading := read(t, adapters.Options{}, fixture("report-pages.csv"))
	days := recountDays(events)
	d := days["2024-03-01"]
	if d == nil || len(days) != 2 {
		t.Fatalf("days = %v", slices.Collect(maps.Keys(days)))
	}
	expect(t, "sessions, bounces, views", []int{d.Sessions, d.Bounces, d.Views}, []int{600, 243, 1600})
	if math.Abs(d.Seconds-600*90) > 600 {
		t.Errorf("seconds = %f; want %d", d.Seconds, 600*90)
	}
	expect(t, "views of pages", []int{d.Pages["/"], d.Pages["/mugs?colour=blue"], d.Pages[otherPage]}, []int{1210, 300, 90})
	expect(t, "events", d.Names, map[string]int{"sign_up": 12})
	expect(t, "countries", d.Countries, map[string]int{"Germany": 350, "United States": 200, "": 50})
	expect(t, "sources", d.Sources, map[string]int{"google&utm_medium=organic": 350, "": 200, "news.example.org&utm_medium=referral": 50})
	expect(t, "omitted", stats.Omitted.Counts(), map[string]int64{
		omitTotal: 1, "event of a report that its views count too: page_view": 1, "automatic event: session_start": 1,
	})
	if stats.Rows != 16 || reading.Shape != "Google Analytics report" || len(reading.Notes) != 3 {
		t.Errorf("%d rows, shape %q, notes %q", stats.Rows, reading.Shape, reading.Notes)
	}
	again, _, _ := read(t, adapters.Options{}, fixture("report-pages.csv"))
	if diff := cmp.Diff(events, again); diff != "" {
		t.Errorf("the second reading differs:\n%.2000s", diff)
	}
	// The same report twice tells everything twice.
	content, err := os.ReadFile(fixture("report-pages.csv"))
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "again.csv")
	if err := os.WriteFile(copied, append(content, "\n# another download\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	_, stats, _ = read(t, adapters.Options{}, fixture("report-pages.csv"), copied)
	if got := stats.Omitted[omitTwice].Count; got != 15 || stats.Events != int64(len(events)) {
		t.Errorf("given twice: %d rows left out, %d events; want 15, %d", got, stats.Events, len(events))
	}
}

func TestReportForms(t *testing.T) {
	events, stats, reading := read(t, adapters.Options{}, fixture("report-overview.csv"))
	days := recountDays(events)
	got := map[string][]int{}
	for date, d := range days {
		got[date] = []int{d.Sessions, d.Views}
	}
	expect(t, "nth day", got, map[string][]int{"2024-03-10": {4, 9}, "2024-03-11": {3, 6}, "2024-03-12": {5, 8}})
	if stats.Rows != 5 || !strings.Contains(strings.Join(reading.Notes, " "), "the numbers by country are of 2024-03-10 to 2024-03-12 as a whole") {
		t.Errorf("%d rows, notes %q", stats.Rows, reading.Notes)
	}
	spread := map[string]int{}
	for _, d := range days {
		for country, n := range d.Countries {
			spread[country] += n
		}
	}
	expect(t, "countries of the period", spread, map[string]int{"Germany": 5, "Austria": 2, "": 5})

	events, _, _ = read(t, adapters.Options{}, fixture("report-de.csv"))
	expect(t, "one day, in German", recountDays(events)["2024-04-01"].Pages, map[string]int{"/": 1210, "/becher": 300})

	events, stats, reading = read(t, adapters.Options{}, fixture("report-ua.csv"))
	days = recountDays(events)
	expect(t, "UA pages", days["2019-04-01"].Pages, map[string]int{"/": 30, "/mugs": 14})
	expect(t, "UA entries", days["2019-04-01"].Entries, map[string]int{"/": 18, "/mugs": 4})
	if stats.Omitted[omitTotal].Count != 2 || strings.Contains(strings.Join(reading.Notes, " "), "are read as") { // the range decides
		t.Errorf("omitted %v, notes %q", stats.Omitted, reading.Notes)
	}

	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	events, _, _ = read(t, adapters.Options{Timezone: berlin}, fixture("report-api.json"))
	for i := range events {
		if events[i].Time.Time().In(berlin).Format(time.DateOnly) < "2024-03-05" {
			t.Errorf("%v is before the report's first day in Berlin", events[i].Time.Time())
		}
	}
	inZone, _, _ := read(t, adapters.Options{}, fixture("report-api.json"))
	if diff := cmp.Diff(events, inZone); diff != "" {
		t.Errorf("the report's own zone is not used:\n%.2000s", diff)
	}
	batch := write(t, "batch.json", `{"kind":"x","reports":[`+string(must(os.ReadFile(fixture("report-api.json"))))+`]}`)
	again, _, _ := read(t, adapters.Options{Timezone: time.UTC}, batch)
	events, _, _ = read(t, adapters.Options{Timezone: time.UTC}, fixture("report-api.json"))
	if len(again) != len(events) {
		t.Errorf("a batch of it: %d events; want %d", len(again), len(events))
	}
	d := recountDays(events)["2024-03-05"]
	expect(t, "API", []int{d.Sessions, d.Bounces, d.Views}, []int{12, 4, 26})
	expect(t, "API devices", d.Devices, map[string]int{"desktop": 8, "mobile": 4})
	expect(t, "API entries", d.Entries, map[string]int{"/": 8, "/mugs?a=1": 4})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// openError returns the error of opening content as a file of that name.
func openError(t *testing.T, content string) error {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.csv")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	inputs, err := input.Open(ctx, []string{path}, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	defer inputs.Close()
	reading, err := Adapter{}.Match(ctx, inputs.Files).Open(ctx, adapters.Options{})
	if err == nil {
		reading.Source.Close()
	}
	return err
}

func TestReportErrors(t *testing.T) {
	undated, err := os.ReadFile(fixture("report-undated.csv"))
	if err != nil {
		t.Fatal(err)
	}
	for content, want := range map[string]string{
		string(undated):                                           "add the dimension Date",
		"date,sessions,totalUsers\nsoon,1,2\n":                    `field "date": dates such as "soon"`,
		"# ----\n# nothing\n":                                     "is not recognized",
		"# -----\n# Start date: 20240101\n# End date: 20240102\n": "holds no rows",
		"name,age\nx,1\n":                                         "is not recognized as an export of Google Analytics; expected GA4's",
		`{"dimensionHeaders":[{"name":"country"}],"metricHeaders":[{"name":"views"}]`: "not valid JSON",
	} {
		err := openError(t, content)
		var positioned *input.Error
		if !errors.As(err, &positioned) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "x.csv: ") {
			t.Errorf("%.40q: %v; want %q", content, err, want)
		}
	}
	// A report beside events would count them twice.
	ctx := context.Background()
	inputs, err := input.Open(ctx, []string{fixture("flat.csv"), fixture("report-de.csv")}, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	defer inputs.Close()
	if _, err := (Adapter{}).Match(ctx, inputs.Files).Open(ctx, adapters.Options{}); err == nil || !strings.Contains(err.Error(), "one or the other") {
		t.Errorf("a report beside events: %v", err)
	}
}

func TestReportRejects(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.csv")
	content := "date,country,sessions\n20240101,France,3\n20240101,Germany,many\n20240102,France\n20240102,Spain,2\n"
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	events, stats, rejects, _ := readAll(t, adapters.Options{}, path)
	if len(recountDays(events)) != 2 || stats.Rows != 4 || len(rejects) != 2 {
		t.Fatalf("%d events, %d rows, rejects %v", len(events), stats.Rows, rejects)
	}
	got := []string{fmt.Sprint(rejects[0].Row, " ", rejects[0].Reason), fmt.Sprint(rejects[1].Row, " ", rejects[1].Reason)}
	slices.Sort(got)
	expect(t, "rejects", got, []string{"3 " + rejectNumber, "4 " + rejectCells})
}

// alone returns what reads a number that is its column's only one.
func alone(s string) *numbers {
	n := &numbers{means: []adapters.Numbers{{Of: adapters.Means}}, percents: []bool{false}}
	n.means[0].Add(bareNumber(s))
	return n
}

func TestNumbers(t *testing.T) {
	for s, want := range map[string]int{
		"": 0, "-": 0, "7": 7, "1,234": 1234, "1.234": 1234, "1.234.567": 1234567, "1 234": 1234, "1\u00a0234": 1234, "1'234": 1234, "12.0": 12, "12,0": 12, "0.5": 1,
		"1234.0": 1234, "1,234.0": 1234,
	} {
		if got, ok := wholeNumber(s); !ok || got != want {
			t.Errorf("wholeNumber(%q) = %d, %t; want %d", s, got, ok, want)
		}
	}
	for _, s := range []string{"x", "-3", "1e99", "1,2,3x"} {
		if got, ok := wholeNumber(s); ok {
			t.Errorf("wholeNumber(%q) = %d", s, got)
		}
	}
	for s, want := range map[string]float64{"0.45": .45, "45%": .45, "45,5 %": .455, "100.00%": 1} {
		if got, ok := alone(s).share(s, 0); !ok || math.Abs(got-want) > 1e-9 {
			t.Errorf("share(%q) = %f, %t; want %f", s, got, ok, want)
		}
	}
	for s, want := range map[string]float64{"83.5": 83.5, "00:01:23": 83, "1m 23s": 83, "<00:00:01": 1, "": 0, "1,234.5": 1234.5} {
		if got, ok := alone(s).length(s, 0); !ok || got != want {
			t.Errorf("length(%q) = %f, %t; want %f", s, got, ok, want)
		}
	}
}

func TestLanguages(t *testing.T) {
	for name, want := range map[string]string{"English": "en", "German": "de", "Portuguese": "pt", "Chinese": "zh", "Ukrainian": "uk", "en-us": "en-us", "Klingon-ish": "Klingon-ish"} {
		var ev pipeline.Event
		if describeVisit(&ev, new(traffic), "languagename", name); ev.Language != want {
			t.Errorf("%s: %q; want %q", name, ev.Language, want)
		}
	}
}

func FuzzReport(f *testing.F) {
	paths, err := filepath.Glob(fixture("report-*"))
	if err != nil || len(paths) == 0 {
		f.Fatal("no fixtures")
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(content))
	}
	f.Fuzz(func(t *testing.T, content string) {
		in, store := &input.Input{Name: "x"}, newRowStore(t.TempDir())
		defer store.Close()
		check := func(tables []*reportTable, err error) {
			r := newReports(adapters.Options{})
			for _, table := range tables {
				if err == nil {
					if err = table.prepare(t.Context()); err == nil {
						r.add(table)
					}
				}
			}
			if err != nil && !strings.HasPrefix(err.Error(), "x: ") {
				t.Fatal(err)
			}
			r.spread()
			r.share()
			r.reading(new(adapters.Reading))
		}
		check(readTables(store, in, strings.NewReader(content)))
		check(readAPI(store, in, strings.NewReader(content)))
		wholeNumber(content)
		alone(content).length(content, 0)
		alone(content).share(content, 0)
	})
}

// TestTitles holds that no name means two fields.
func TestTitles(t *testing.T) {
	seen := map[string]field{}
	check := func(f field, titles string) {
		for title := range strings.SplitSeq(titles, "|") {
			s := spelling(title)
			if other, twice := seen[s]; twice && other != f {
				t.Errorf("%q means %s and %s", title, other, f)
			}
			seen[s] = f
		}
	}
	for f, titles := range dimensionTitles {
		check(f, titles)
	}
	for f, titles := range metricTitles {
		check(f, titles)
	}
	check(unknownMetric, unusedMetrics)
	for parameter, titles := range parameterTitles {
		check(field(parameterOf+parameter), titles)
	}
}

// TestTitlesOfLanguages holds that each language has the titles of the standard
// reports.
func TestTitlesOfLanguages(t *testing.T) {
	fields := []field{
		byDate, byPage, byTitle, byLanding, byCountry, byCity, byDevice, byBrowser, byOS, bySourceMedium, byCampaign, byChannel, byEvent, views, sessions, users, activeUsers, engagedSessions, engagementRate, bounceRate, averageSession, engagementPerUser, eventCount, viewsPerUser, usersOf28Days, byNthDay,
	}
	for language, titles := range map[string]string{
		"en":    "Date|Page path and screen class|Page title and screen class|Landing page|Country|City|Device category|Browser|Operating system|Session source / medium|Session campaign|Session primary channel group (Default channel group)|Event name|Views|Sessions|Total users|Active users|Engaged sessions|Engagement rate|Bounce rate|Average session duration|Average engagement time per active user|Event count|Views per active user|28-day active users|Nth day",
		"de":    "Datum|Seitenpfad und Bildschirmklasse|Seitentitel und Bildschirmklasse|Landingpage|Land|Stadt|Gerätekategorie|Browser|Betriebssystem|Sitzung – Quelle/Medium|Sitzung – Kampagne|Sitzung – primäre Channelgruppe (Standard-Channelgruppe)|Ereignisname|Aufrufe|Sitzungen|Nutzer insgesamt|Aktive Nutzer|Sitzungen mit Interaktionen|Engagement-Rate|Absprungrate|Durchschnittliche Sitzungsdauer|Durchschnittliche Interaktionsdauer pro aktivem Nutzer|Ereignisanzahl|Aufrufe pro aktivem Nutzer|Aktive Nutzer (28 Tage)|N. Tag",
		"fr":    "Date|Chemin de la page et classe de l'écran|Titre de la page et classe d'écran|Page de destination|Pays|Ville|Catégorie d'appareil|Navigateur|Système d'exploitation|Source/Support de la session|Campagne de la session|Groupe de canaux principal de la session (groupe de canaux par défaut)|Nom de l'événement|Vues|Sessions|Nombre total d'utilisateurs|Utilisateurs actifs|Sessions avec engagement|Taux d'engagement|Taux de rebond|Durée moyenne des sessions|Durée d'engagement moyenne par utilisateur actif|Nombre d'événements|Vues par utilisateur actif|Utilisateurs actifs sur 28 jours|Nième jour",
		"es":    "Fecha|Ruta de página y clase de pantalla|Título de página y clase de pantalla|Página de destino|País|Ciudad|Categoría de dispositivo|Navegador|Sistema operativo|Fuente/medio de la sesión|Campaña de la sesión|Grupo de canales principal de la sesión (grupo de canales predeterminado)|Nombre del evento|Vistas|Sesiones|Usuarios totales|Usuarios activos|Sesiones con interacción|Porcentaje de interacciones|Porcentaje de rebote|Duración media de la sesión|Tiempo de interacción medio por usuario activo|Número de eventos|Vistas por usuario activo|Usuarios activos durante 28 días|Nº de día",
		"pt":    "Data|Caminho da página e classe da tela|Título da página e classe da tela|Página de destino|País|Cidade|Categoria do dispositivo|Navegador|Sistema operacional|Origem / mídia da sessão|Campanha da sessão|Grupo de canais principal da sessão (grupo de canais padrão)|Nome do evento|Visualizações|Sessões|Total de usuários|Usuários ativos|Sessões engajadas|Taxa de engajamento|Taxa de rejeição|Duração média da sessão|Tempo médio de engajamento por usuário ativo|Contagem de eventos|Visualizações por usuário ativo|Usuários ativos por 28 dias|Enésimo dia",
		"it":    "Data|Percorso pagina e classe schermata|Titolo pagina e classe schermata|Pagina di destinazione|Paese|Città|Categoria dispositivo|Browser|Sistema operativo|Sorgente/Mezzo della sessione|Campagna della sessione|Gruppo di canali principale della sessione (gruppo di canali predefinito)|Nome evento|Visualizzazioni|Sessioni|Utenti totali|Utenti attivi|Sessioni con coinvolgimento|Tasso di coinvolgimento|Frequenza di rimbalzo|Durata media della sessione|Durata media del coinvolgimento per utente attivo|Conteggio eventi|Visualizzazioni per utente attivo|Utenti attivi per 28 giorni|Ennesimo giorno",
		"nl":    "Datum|Paginapad en schermklasse|Paginatitel en schermklasse|Bestemmingspagina|Land|Plaats|Apparaatcategorie|Browser|Besturingssysteem|Bron/medium van sessie|Sessiecampagne|Primaire kanaalgroep van sessie (standaardkanaalgroep)|Gebeurtenisnaam|Weergaven|Sessies|Totaal aantal gebruikers|Actieve gebruikers|Betrokken sessies|Engagementpercentage|Bouncepercentage|Gemiddelde sessieduur|Gemiddelde engagementtijd per actieve gebruiker|Aantal gebeurtenissen|Weergaven per actieve gebruiker|Actieve gebruikers over 28 dagen|N-de dag",
		"pl":    "Data|Ścieżka strony i klasa ekranu|Tytuł strony i klasa ekranu|Strona docelowa|Kraj|Miasto|Kategoria urządzenia|Przeglądarka|System operacyjny|Źródło / medium sesji|Kampania sesji|Podstawowa grupa kanałów sesji (domyślna grupa kanałów)|Nazwa zdarzenia|Wyświetlenia|Sesje|Łączna liczba użytkowników|Aktywni użytkownicy|Sesje z zaangażowaniem|Współczynnik zaangażowania|Współczynnik odrzuceń|Średni czas trwania sesji|Średni czas zaangażowania na aktywnego użytkownika|Liczba zdarzeń|Wyświetlenia na aktywnego użytkownika|Aktywni użytkownicy z 28 dni|N-ty dzień",
		"tr":    "Tarih|Sayfa yolu ve ekran sınıfı|Sayfa başlığı ve ekran sınıfı|Açılış sayfası|Ülke|Şehir|Cihaz kategorisi|Tarayıcı|İşletim sistemi|Oturum kaynağı/ortamı|Oturum kampanyası|Oturum birincil kanal grubu (varsayılan kanal grubu)|Etkinlik adı|Görüntüleme sayısı|Oturum sayısı|Toplam kullanıcı sayısı|Etkin kullanıcı sayısı|Etkileşimli oturum sayısı|Etkileşim oranı|Hemen çıkma oranı|Ortalama oturum süresi|Etkin kullanıcı başına ortalama etkileşim süresi|Etkinlik sayısı|Etkin kullanıcı başına görüntüleme sayısı|28 günlük etkin kullanıcı sayısı|N. gün",
		"ru":    "Дата|Путь к странице и класс экрана|Название страницы и класс экрана|Целевая страница|Страна|Город|Категория устройства|Браузер|Операционная система|Источник или канал сеанса|Кампания сеанса|Основная группа каналов сеанса (группа каналов по умолчанию)|Название события|Просмотры|Сеансы|Всего пользователей|Активные пользователи|Сеансы с взаимодействием|Доля взаимодействий|Показатель отказов|Средняя продолжительность сеанса|Среднее время взаимодействия на активного пользователя|Количество событий|Просмотры на активного пользователя|Активные пользователи за 28 дней|N-й день",
		"ja":    "日付|ページパスとスクリーン クラス|ページ タイトルとスクリーン クラス|ランディング ページ|国|市区町村|デバイス カテゴリ|ブラウザ|オペレーティング システム|セッションの参照元 / メディア|セッションのキャンペーン|セッションのメインのチャネル グループ(デフォルト チャネル グループ)|イベント名|表示回数|セッション|総ユーザー数|アクティブ ユーザー|エンゲージのあったセッション数|エンゲージメント率|直帰率|平均セッション継続時間|アクティブ ユーザーあたりの平均エンゲージメント時間|イベント数|アクティブ ユーザーあたりの閲覧回数|28 日間のアクティブ ユーザー|N 日目",
		"zh":    "日期|网页路径和屏幕类|网页标题和屏幕类|着陆页|国家/地区|城市|设备类别|浏览器|操作系统|会话来源/媒介|会话广告系列|会话主要渠道组(默认渠道组)|事件名称|浏览次数|会话数|总用户数|活跃用户|互动会话数|互动率|跳出率|平均会话时长|每位活跃用户的平均互动时长|事件数|每位活跃用户的浏览次数|28 天活跃用户|第 N 天",
		"zh-TW": "日期|網頁路徑和畫面類別|網頁標題和畫面類別|到達網頁|國家/地區|城市|裝置類別|瀏覽器|作業系統|工作階段來源/媒介|工作階段廣告活動|工作階段主要管道群組 (預設管道群組)|事件名稱|瀏覽|工作階段|總人數|活躍使用者|參與工作階段|參與度|跳出率|平均工作階段持續時間|每位活躍使用者的平均參與時間|事件計數|每位活躍使用者的瀏覽次數|28 天活躍使用者|第 N 天",
		"ko":    "날짜|페이지 경로 및 화면 클래스|페이지 제목 및 화면 클래스|방문 페이지|국가|도시|기기 카테고리|브라우저|운영체제|세션 소스/매체|세션 캠페인|세션 기본 채널 그룹(기본 채널 그룹)|이벤트 이름|조회수|세션수|총 사용자|활성 사용자|참여 세션수|참여율|이탈률|평균 세션 시간|활성 사용자당 평균 참여 시간|이벤트 수|활성 사용자당 조회수|28일 활성 사용자|N번째 날",
	} {
		for i, title := range strings.Split(titles, "|") {
			if got := fieldOf(title); got != fields[i] {
				t.Errorf("%s: %q is %q, want %q", language, title, got, fields[i])
			}
		}
	}
}

// TestRequests holds that all that REPORTS.md asks the Data API for is read.
func TestRequests(t *testing.T) {
	text, err := os.ReadFile("REPORTS.md")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`"name": "([^"]*)"`).FindAllStringSubmatch(string(text), -1)
	if len(names) < 20 {
		t.Fatalf("%d names", len(names))
	}
	for _, name := range names {
		if f := fieldOf(name[1]); f == "" || f == unknownDimension || f == unknownMetric {
			t.Errorf("%s is %q", name[1], f)
		}
	}
}

// TestUnknownDimension holds that rows over what is not understood are not added
// up, and that the reason names it.
func TestUnknownDimension(t *testing.T) {
	err := openError(t, "Date,Plan,Sessions,Total users\n20240101,free,10,9\n20240101,paid,5,5\n")
	if err == nil || !strings.Contains(err.Error(), `also by "Plan"`) {
		t.Error(err)
	}
	for content, want := range map[string][]int{
		"Date,Plan,Sessions,Views\n20240101,free,10,20\n20240102,free,5,9\n":                                   {15, 29}, // nothing is added up
		"Date,Date range,Sessions,Views\n20240101,a,10,20\n20240101,b,10,20\n":                                 {10, 20},
		"dateHour,sessions,screenPageViews,totalUsers\n2024010110,3,5,3\n2024010111,4,6,4\n":                   {7, 11}, // few go on into another hour
		"Date,Hour,Sessions,Views\n20240101,09,3,5\n20240101,10,4,6\n":                                         {7, 11},
		"dateHour,sessions,screenPageViews\n2024010110,3,5\n2024010111,4,6\n\nDate,Sessions\n20240101,6\n":     {6, 11},
		"Date,Sessions,Views,_fivetran_deleted\n20240101,10,20,true\n20240101,9,19,false\n":                    {9, 19},
		"Year,Month,Day of month,Sessions,Views\n2024,01,31,10,20\n2024,02,01,1,2\n":                           {11, 22},
		"Date,Country,Sessions,Views\n20240101,France,3,6\n,Spain,2,4\n20240102,France,1,2\n":                  {6, 12},
		"Datum,Gerätekategorie,Sitzungen,Aufrufe\n01.02.2024,desktop,\"1.000\",\"2.000\"\n":                    {1000, 2000},
		"# ----------\n# Start date: 20240101\n# End date: 20240107\n\nNth week,Sessions,Views\n0000,70,140\n": {70, 140},
	} {
		events, _, _ := read(t, adapters.Options{}, write(t, "r.csv", content))
		sum := []int{0, 0}
		for _, d := range recountDays(events) {
			sum[0], sum[1] = sum[0]+d.Sessions, sum[1]+d.Views
		}
		expect(t, content, sum, want)
	}
}

// TestDoubt holds that reports of which nonsense would come are doubted.
func TestDoubt(t *testing.T) {
	for content, want := range map[string]string{
		"Date,Page path,Views,Event count\n20240101,/,100,3\n20240101,/a,50,3\n": "neither sessions nor users",
		"Date,Sessions,Views\n20240101,1,100\n":                                  "100 views a visit",
		"Date,Sessions,Views\n20240101,10,100\n":                                 "",
		"Date,Total users,Average session duration\n20240101,10,20\n":            "",
	} {
		_, _, reading := read(t, adapters.Options{}, write(t, "r.csv", content))
		got := ""
		if reading.Doubt != nil {
			got = reading.Doubt.Error()
		}
		if got == "" != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%q: %s; want %q", content, got, want)
		}
	}
}

// TestLengths reads lengths of time and dates as languages write them.
func TestLengths(t *testing.T) {
	for s, want := range map[string]float64{
		"1 Min. 23 Sek.": 83, "1分23秒": 83, "1분 23초": 83, "1 мин. 23 сек.": 83, "1 dk. 23 sn.": 83, "1h 2m 3s": 3723, "1 saat 2 dk": 3720, "1 Std. 2 Min.": 3720, "45.5s": 45.5,
		"1m 23.4s": 83.4, "1 min 23,4 s": 83.4, "1 min e 23 s": 83, "1 h y 2 min": 3720,
	} {
		if got, ok := alone(s).length(s, 0); !ok || got != want {
			t.Errorf("length(%q) = %f, %t; want %f", s, got, ok, want)
		}
	}
	for s, want := range map[string]string{
		"1. März 2024": "2024-03-01", "1 mars 2024": "2024-03-01", "2024年3月1日": "2024-03-01", "2024. 3. 1.": "2024-03-01", "2024년 3월 1일": "2024-03-01", "1 мар. 2024 г.": "2024-03-01",
		"01.03.2024": "2024-03-01", "Mar 1, 2024": "2024-03-01", "1 de mayo de 2024": "2024-05-01", "2024-03-01T00:00:00Z": "2024-03-01", "2024030117": "2024-03-01",
	} {
		if got, ok := dayOf(s, &adapters.Times{}); !ok || got.Format(time.DateOnly) != want {
			t.Errorf("dayOf(%q) = %v, %t; want %s", s, got, ok, want)
		}
	}
}

// TestAirbyte reads a raw table of Airbyte, whose rows stand in a cell.
func TestAirbyte(t *testing.T) {
	path := write(t, "raw.jsonl", `{"_airbyte_raw_id":"a","_airbyte_data":{"date":"20240305","sessions":3,"screenPageViews":7}}
{"_airbyte_raw_id":"b","_airbyte_data":{"date":"20240306","sessions":1,"screenPageViews":1}}
`)
	events, _, _ := read(t, adapters.Options{}, path)
	if days := recountDays(events); len(events) != 8 || days["2024-03-05"].Sessions != 3 {
		t.Errorf("%d events", len(events))
	}
}

// TestReportsThenEvents reads reports of the days before the events.
func TestReportsThenEvents(t *testing.T) {
	daily := write(t, "daily.csv", "Date,Sessions,Views\n20240304,3,7\n20240305,9,20\n20240306,5,9\n")
	events, _, reading := read(t, adapters.Options{}, daily, fixture("events_20240305.ndjson"))
	alone, _, _ := read(t, adapters.Options{}, fixture("events_20240305.ndjson"))
	if len(events) != len(alone)+7 || !strings.Contains(strings.Join(reading.Notes, " "), "Events begin on 2024-03-05") {
		t.Errorf("%d events, %d of them from events; notes %q", len(events), len(alone), reading.Notes)
	}
}

// TestUnits holds that shards of a day are one unit, and reports another.
func TestUnits(t *testing.T) {
	opened, err := input.Open(context.Background(), []string{fixture("events_20240305.ndjson"), fixture("events_20240305.avro"), fixture("ga_sessions_20190412.avro"), fixture("report-de.csv"), fixture("report-ua.csv")}, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	var got []string
	for _, u := range (Adapter{}).Match(context.Background(), opened.Files).Units {
		got = append(got, fmt.Sprint(u.Name, " ", len(u.Inputs)))
	}
	expect(t, "units", got, []string{"events_20240305 2", "ga_sessions_20190412 1", "reports 2"})
}
