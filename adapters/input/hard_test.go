package input_test

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"hopper/adapters/input"
)

func TestPassedOver(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "d/a.csv", []byte(content))
	write(t, dir, "d/.hidden/x.csv", []byte(content))
	write(t, dir, "d/.DS_Store", []byte("x"))
	write(t, dir, "d/empty.csv", nil)
	write(t, dir, "d/e.zip", archive("./b.csv", content, "../c.csv", content, `win\d.csv`, content, "__MACOSX/._b.csv", "x", "none.csv", "\n"))
	if err := errors.Join(os.Symlink("nowhere", filepath.Join(dir, "d/gone.csv")), os.Symlink(dir, filepath.Join(dir, "d/loop"))); err != nil {
		t.Skip(err)
	}
	t.Chdir(dir)
	ins := open(t, nil, "d")
	var names []string
	for _, in := range ins.Files {
		names = append(names, filepath.ToSlash(in.Name))
	}
	if want := []string{"d/a.csv", "d/e.zip/b.csv", "d/e.zip/c.csv", "d/e.zip/none.csv", "d/e.zip/win/d.csv", "d/empty.csv"}; !slices.Equal(names, want) {
		t.Errorf("inputs are %q, want %q", names, want)
	}
	slices.SortFunc(ins.PassedOver, func(a, b input.PassedOver) int { return cmp.Compare(a.Name, b.Name) })
	if want := []input.PassedOver{
		{Name: "d/.DS_Store", Why: "hidden"}, {Name: "d/.hidden", Why: "hidden"}, {Name: "d/e.zip/__MACOSX/._b.csv", Why: "hidden"},
		{Name: "d/e.zip/none.csv", Why: "empty"}, {Name: "d/empty.csv", Why: "empty"},
		{Name: "d/gone.csv", Why: "a link to nowhere"}, {Name: "d/loop", Why: "a link to a directory"},
	}; !reflect.DeepEqual(ins.PassedOver, want) {
		t.Errorf("passed over %q, want %q", ins.PassedOver, want)
	}
	_, err := input.Open(t.Context(), []string{"d/gone.csv"}, nil, "")
	if err == nil || err.Error() != "d/gone.csv: is a link to nowhere, which does not exist" {
		t.Errorf("got %v", err)
	}
}

func TestMembersOfOneNameInTwoForms(t *testing.T) {
	_, err := input.Open(t.Context(), []string{"-"}, bytes.NewReader(archive("a.csv", content, "./a.csv", content)), "")
	if err == nil || !strings.Contains(err.Error(), `holds "a.csv" and "./a.csv"`) {
		t.Errorf("got %v", err)
	}
}

func TestHint(t *testing.T) {
	_, err := input.Open(t.Context(), []string{write(t, t.TempDir(), "a.csv", nil)}, nil, "")
	var positioned *input.Error
	if !errors.As(err, &positioned) || positioned.Hint != "export or download it again" || !strings.HasSuffix(err.Error(), "a.csv: is empty; export or download it again") {
		t.Errorf("got %#v", err)
	}
}

func TestFileThatChanges(t *testing.T) {
	long := strings.Repeat(content, 50000)
	for want, change := range map[string]func(*os.File) error{
		"grew while it was read, from 400000 to 400003 bytes": func(f *os.File) error { _, err := f.WriteAt([]byte("x,y"), 400000); return err },
		"shrank while it was read, from 400000 to 10 bytes":   func(f *os.File) error { return f.Truncate(10) },
		"while it was read; wait until it is complete":        func(f *os.File) error { return os.Chtimes(f.Name(), time.Time{}, time.Now().Add(time.Hour)) },
	} {
		p := write(t, t.TempDir(), "a.csv", []byte(long))
		in := open(t, nil, p).Files[0]
		r, err := in.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if _, err := io.ReadFull(r, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(p, os.O_RDWR, 0)
		if err == nil {
			err = errors.Join(change(f), f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestZerosBehind(t *testing.T) {
	zeros := make([]byte, 10240)
	for name, c := range map[string]struct {
		data []byte
		ok   bool
	}{
		"gzip":             {append(gz(content), zeros...), true},
		"gzip, one":        {append(gz(content), 0), true},
		"gzip, two":        {append(gz("a,b\n", "x,y\n"), zeros...), true},
		"gzip, then more":  {append(append(gz(content), zeros...), gz(content)...), false},
		"gzip, junk":       {append(append(gz(content), zeros...), 'x'), false},
		"zstd":             {append(zst(content), zeros...), true},
		"zstd, two":        {append(append(zst("a,b\n"), zst("x,y\n")...), zeros...), true},
		"zstd, junk":       {append(append(zst(content), zeros...), 'x'), false},
		"zstd, junk first": {append(append(zst(content), "junk"...), zeros...), false},
	} {
		ins, err := input.Open(t.Context(), []string{write(t, t.TempDir(), "a.csv", c.data)}, nil, "")
		if err != nil {
			if c.ok {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		defer ins.Close()
		if !c.ok {
			t.Errorf("%s: got no error", name)
		} else if text := readAll(t, ins.Files[0]); text != content {
			t.Errorf("%s: got %q", name, text)
		}
	}
}

func TestStalledPipe(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := input.Open(ctx, []string{"-"}, r, ""); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("opening: got %v", err)
	}

	r, w = io.Pipe()
	defer w.Close()
	go w.Write(bytes.Repeat([]byte(content), 20000))
	in := open(t, r, "-").Files[0]
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	stalled, err := in.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, stalled); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("reading: got %v", err)
	}
}

// What a file holds is the same in whatever packing it comes.
func TestIdentityIsOfContents(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "plain/a.csv", []byte(content))
	write(t, dir, "plain/sub/b.csv", []byte("other\n"))
	write(t, dir, "plain/empty.csv", nil)
	write(t, dir, "packed/a.csv.gz", append(gz("a,b\n", "x,y\n"), 0, 0, 0))
	write(t, dir, "packed/b.csv.zst", zst("other\n"))
	write(t, dir, "e.zip", archive("./a.csv", content, "sub/b.csv.gz", string(gz("other\n")), "empty.csv", ""))
	sums := func(stdin io.Reader, args ...string) (contents, stored []string) {
		id, err := open(t, stdin, args...).Identify(t.Context(), true)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range id.Contents {
			contents = append(contents, p.SHA256+" "+p.XXH3)
		}
		for _, p := range id.Stored {
			stored = append(stored, p.SHA256)
		}
		slices.Sort(contents)
		return contents, stored
	}
	t.Chdir(dir)
	want, _ := sums(nil, "plain")
	e, err := os.ReadFile("e.zip")
	if err != nil || len(want) != 2 {
		t.Fatal(len(want), err)
	}
	for name, got := range map[string][]string{
		"packed": first(sums(nil, "packed")), "zip": first(sums(nil, "e.zip")), "piped zip": first(sums(pipe(e), "-")),
		"piped": first(sums(pipe(gz(content)), "-", "plain/sub/b.csv")),
	} {
		if !slices.Equal(got, want) {
			t.Errorf("%s: sums are %q, want %q", name, got, want)
		}
	}
	if _, stored := sums(nil, "packed"); len(stored) != 2 || slices.Equal(stored, want) {
		t.Errorf("stored: got %q", stored)
	}
}

func first[A, B any](a A, _ B) A { return a }

// A directory of many files takes little memory for each.
func TestManyFiles(t *testing.T) {
	const files = 1000
	line := strings.Repeat("x", 63) + "\n"
	dir := t.TempDir()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := range files {
		data := []byte(strings.Repeat(line, 1024) + fmt.Sprint(i)) // more than a head
		write(t, dir, fmt.Sprintf("f%05d.csv", i), data)
		w, _ := z.Create(fmt.Sprintf("f%05d.csv", i))
		w.Write(data)
	}
	z.Close()
	packed := write(t, t.TempDir(), "e.zip", b.Bytes())
	for _, arg := range []string{dir, packed} {
		before := heap()
		ins := open(t, nil, arg)
		if taken := heap() - before; taken > 34<<20 {
			t.Errorf("%s: %d files take %d bytes", arg, files, taken)
		}
		last := ins.Files[files-1]
		if head := last.Head(); len(head) != 64<<10 || last.Format() != input.Text {
			t.Errorf("the last one's head has %d bytes", len(head))
		}
		runtime.KeepAlive(ins)
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestIdentifyBesideReading identifies inputs while they are read.
func TestIdentifyBesideReading(t *testing.T) {
	dir := t.TempDir()
	text := strings.Repeat(content, 20_000)
	write(t, dir, "a.csv", []byte(text))
	write(t, dir, "b.csv.gz", gz(text))
	write(t, dir, "c.zip", archive("c.csv", text))
	ins := open(t, nil, dir)
	if !ins.Local() {
		t.Error("files are said not to be local")
	}
	alone, err := open(t, nil, dir).Identify(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	var readers []io.Reader
	for _, in := range ins.Files {
		r, err := in.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if _, err := io.CopyN(io.Discard, r, int64(len(text)/2)); err != nil {
			t.Fatal(err)
		}
		readers = append(readers, r)
	}
	read := ins.BytesRead()
	if id, err := ins.Identify(t.Context(), true); err != nil || !reflect.DeepEqual(id, alone) {
		t.Errorf("identified as %v, %v; else as %v", id, err, alone)
	}
	if ins.BytesIdentified() != ins.Size() || ins.BytesRead() != read {
		t.Errorf("read %d bytes of %d to identify them, and %d for their content, which were %d before", ins.BytesIdentified(), ins.Size(), ins.BytesRead(), read)
	}
	for i, r := range readers {
		if n, err := io.Copy(io.Discard, r); err != nil || n != int64(len(text)-len(text)/2) {
			t.Errorf("%s: %d bytes more, %v", ins.Files[i].Name, n, err)
		}
	}
	if open(t, pipe([]byte(content)), "-").Local() {
		t.Error("a pipe is said to be a local file")
	}
}

// What is read to its end is identified by that pass as it is by one of its own; what is
// read in part, or not at all, is read for it.
func TestReadingSumsUp(t *testing.T) {
	dir := t.TempDir()
	text := strings.Repeat(content, 20_000)
	write(t, dir, "a.csv", []byte(text))
	write(t, dir, "b.csv.gz", gz(text, "other"))
	write(t, dir, "c.zip", archive("c.csv", text, "d.csv.gz", string(gz("x,y\n", text)), "empty.csv", ""))
	write(t, dir, "e.csv.zst", zst(text+"e"))
	want, err := open(t, nil, dir).Identify(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		read  int64 // bytes of each
		rest  bool  // is read when it is not summed up any more
		again bool  // that it is read once more
	}{{"all", 1 << 30, false, false}, {"half", int64(len(text) / 2), false, true}, {"all too late", int64(len(text) / 2), true, true}, {"nothing", 0, false, true}} {
		ins := open(t, nil, dir)
		ins.SumUp(true)
		for _, in := range ins.Files {
			r, err := in.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyN(io.Discard, r, c.read); err != nil && err != io.EOF {
				t.Fatal(err)
			}
			if c.rest {
				ins.SumUp(false)
				if _, err := io.Copy(io.Discard, r); err != nil {
					t.Fatal(err)
				}
				ins.SumUp(true)
			}
			r.Close()
		}
		ins.SumUp(false)
		got, err := ins.Identify(t.Context(), false)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s read: identified as %v, %v, want %v", c.name, got, err, want)
		}
		if again := ins.BytesIdentified() > ins.Size()/2; again != c.again {
			t.Errorf("%s read: %d bytes of %d are read again", c.name, ins.BytesIdentified(), ins.Size())
		}
		if got, err := ins.Identify(t.Context(), true); err != nil || len(got.Contents) != 5 || len(got.Contents[0].SHA256) != 64 || got.Contents[0].XXH3 != want.Contents[0].XXH3 {
			t.Errorf("%s read: with SHA-256 identified as %v, %v", c.name, got, err)
		}
	}
}
