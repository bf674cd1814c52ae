package input_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/xxh3"

	"hopper/adapters/input"
)

const content = "a,b\nx,y\n"

func gz(parts ...string) []byte {
	var b bytes.Buffer
	for _, p := range parts {
		w := gzip.NewWriter(&b)
		w.Write([]byte(p))
		w.Close()
	}
	return b.Bytes()
}

func zst(text string) []byte {
	w, _ := zstd.NewWriter(nil)
	return w.EncodeAll([]byte(text), nil)
}

// archive makes a ZIP of names and contents in turn.
func archive(members ...string) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		m, _ := w.Create(members[i])
		m.Write([]byte(members[i+1]))
	}
	w.Close()
	return b.Bytes()
}

func write(t *testing.T, dir, name string, data []byte) string {
	t.Helper()
	p := filepath.Join(dir, filepath.FromSlash(name))
	if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o700), os.WriteFile(p, data, 0o600)); err != nil {
		t.Fatal(err)
	}
	return p
}

func open(t *testing.T, stdin io.Reader, args ...string) *input.Inputs {
	t.Helper()
	ins, err := input.Open(t.Context(), args, stdin, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ins.Close(); err != nil {
			t.Error(err)
		}
	})
	return ins
}

func readAll(t *testing.T, in *input.Input) string {
	t.Helper()
	r, err := in.Text(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "d/b.csv", []byte(content))
	write(t, dir, "d/a.csv.gz", gz(content))
	write(t, dir, "d/.hidden", []byte("x"))
	write(t, dir, "d/deep/c.csv", []byte(content))
	write(t, dir, "d/empty.csv", nil)
	write(t, dir, "e.zip", archive("z/Session.CSV", content, "event.csv", content, "__MACOSX/x", "x", ".DS_Store", "x"))
	write(t, dir, "multi.dat", gz("a,b\n", "x,y\n"))
	write(t, dir, "zst.csv.zst", zst(content))
	write(t, dir, "bom.csv", []byte("\xef\xbb\xbf"+content))
	write(t, dir, "inner.zip", archive("e.csv.gz", string(gz(content))))
	write(t, dir, "nested.zip", archive("x/e.zip", string(archive("e.csv", content, ".DS_Store", "x")), "z.csv", content))
	t.Chdir(dir)
	for name, c := range map[string]struct {
		args []string
		want []string // names and bases
	}{
		"archive in an archive": {[]string{"nested.zip"}, []string{"nested.zip/x/e.zip/e.csv", "e.csv", "nested.zip/z.csv", "z.csv"}},
		"file":                  {[]string{"zst.csv.zst"}, []string{"zst.csv.zst", "zst.csv"}},
		"name lies":             {[]string{"multi.dat"}, []string{"multi.dat", "multi.dat"}},
		"mark":                  {[]string{"bom.csv"}, []string{"bom.csv", "bom.csv"}},
		"directory":             {[]string{"d"}, []string{"d/a.csv.gz", "a.csv", "d/b.csv", "b.csv", "d/deep/c.csv", "c.csv", "d/empty.csv", "empty.csv"}},
		"glob":                  {[]string{"d/*.csv*", "bom.csv"}, nil}, // d/empty.csv is named, so it must hold something
		"two":                   {[]string{"d/b*", "bom.csv"}, []string{"d/b.csv", "b.csv", "bom.csv", "bom.csv"}},
		"archive":               {[]string{"e.zip"}, []string{"e.zip/event.csv", "event.csv", "e.zip/z/Session.CSV", "session.csv"}},
		"packed":                {[]string{"inner.zip"}, []string{"inner.zip/e.csv.gz", "e.csv"}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.want == nil {
				if _, err := input.Open(t.Context(), c.args, nil, ""); err == nil {
					t.Error("got no error")
				}
				return
			}
			ins := open(t, nil, c.args...)
			var got []string
			for _, in := range ins.Files {
				got = append(got, filepath.ToSlash(in.Name), in.Base)
				if in.Base == "empty.csv" {
					if in.Format() != input.Empty {
						t.Errorf("%s is %s, want it empty", in.Name, in.Format())
					}
					continue
				}
				for range 2 {
					if text := readAll(t, in); text != content {
						t.Errorf("%s holds %q", in.Name, text)
					}
				}
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if ins.BytesRead() != ins.Size() {
				t.Errorf("read %d bytes of %d", ins.BytesRead(), ins.Size())
			}
		})
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	whole := archive("event.csv", strings.Repeat(content, 1000))
	var bomb bytes.Buffer
	w := zip.NewWriter(&bomb)
	m, _ := w.CreateRaw(&zip.FileHeader{Name: "event.csv", Method: zip.Deflate, CompressedSize64: 1, UncompressedSize64: 80 << 20})
	m.Write([]byte("x"))
	w.Close()
	for name, data := range map[string][]byte{
		"empty.csv":   nil,
		"cut.zip":     whole[:len(whole)/2],
		"twice.zip":   archive("Event.csv", content, "event.csv", content),
		"none.zip":    archive(),
		"cut.csv.gz":  gz(content)[:12],
		"bad.csv.gz":  append(gz(content), "trailing junk"...),
		"bomb.zip":    bomb.Bytes(),
		"secret.zip":  bytes.Replace(whole, []byte("PK\x01\x02\x14\x00\x14\x00\x08"), []byte("PK\x01\x02\x14\x00\x14\x00\x09"), 1),
		"bomb.csv.gz": bytes.Repeat(gz(strings.Repeat("\x00", 16<<20)), 5),
		"damaged.zip": bytes.Replace(whole, whole[40:50], []byte("0123456789"), 1),
	} {
		write(t, dir, name, data)
	}
	os.Mkdir(filepath.Join(dir, "nothing"), 0o700)
	t.Chdir(dir)
	for arg, want := range map[string]string{
		"https://example.com/x.csv": "download it",
		"s3://bucket/x.csv":         "download it",
		"missing.csv":               "missing.csv: no such file",
		"missing-*.csv":             "no file has such a name",
		"nothing":                   "nothing: holds no files",
		"empty.csv":                 "empty.csv: is empty",
		"cut.zip":                   "cut.zip: is cut off or damaged",
		"twice.zip":                 `twice.zip: holds "Event.csv" and "event.csv"`,
		"none.zip":                  "none.zip: is an archive without files",
		"cut.csv.gz":                "cut.csv.gz: is cut off after 12 bytes",
		"bad.csv.gz":                "bad.csv.gz: is damaged near byte",
		"bomb.zip":                  "bomb.zip/event.csv: unpacks to more than 1000 times its size",
		"bomb.csv.gz":               "bomb.csv.gz: unpacks to more than 1000 times its size",
		"secret.zip":                "secret.zip/event.csv: is encrypted",
		"damaged.zip":               "damaged.zip/event.csv: is ",
	} {
		t.Run(arg, func(t *testing.T) {
			ins, err := input.Open(t.Context(), []string{arg}, nil, "")
			if err == nil {
				defer ins.Close()
				var r io.ReadCloser
				if r, err = ins.Files[0].Open(t.Context()); err == nil {
					_, err = io.Copy(io.Discard, r)
				}
			}
			var positioned *input.Error
			if !errors.As(err, &positioned) || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want something with %q", err, want)
			}
		})
	}
	if _, err := input.Open(t.Context(), nil, nil, ""); err == nil {
		t.Error("no inputs: got no error")
	}
}

func TestSameFileTwice(t *testing.T) {
	dir := t.TempDir()
	p := write(t, dir, "a.csv", []byte(content))
	if err := os.Symlink(p, filepath.Join(dir, "b.csv")); err != nil {
		t.Skip(err)
	}
	for _, args := range [][]string{{p, p}, {dir}, {p, filepath.Join(dir, "*.csv")}} {
		if _, err := input.Open(t.Context(), args, nil, ""); err == nil || !strings.Contains(err.Error(), "is given twice") {
			t.Errorf("%q: got %v", args, err)
		}
	}
}

// pipe hides all of a reader but Read, as a pipe does.
func pipe(data []byte) io.Reader { return iotest.HalfReader(bytes.NewReader(data)) }

func TestStdin(t *testing.T) {
	long := content + strings.Repeat("longer,than the head\n", 10000)
	for name, c := range map[string]struct {
		stdin func() io.Reader
		name  string
		again bool
	}{
		"pipe":          {func() io.Reader { return pipe([]byte(long)) }, "standard input", false},
		"packed pipe":   {func() io.Reader { return pipe(gz(long)) }, "standard input", false},
		"file":          {func() io.Reader { return strings.NewReader(long) }, "standard input", true},
		"archive":       {func() io.Reader { return bytes.NewReader(archive("e.csv", long)) }, "standard input/e.csv", true},
		"piped archive": {func() io.Reader { return pipe(archive("e.csv", long)) }, "standard input/e.csv", true},
	} {
		t.Run(name, func(t *testing.T) {
			in := open(t, c.stdin(), "-").Files[0]
			if in.Name != c.name || !strings.HasPrefix(long, string(in.Head())) || len(in.Head()) != 64<<10 {
				t.Errorf("got %q with %d bytes of head", in.Name, len(in.Head()))
			}
			if text := readAll(t, in); text != long {
				t.Errorf("got %d bytes, want %d", len(text), len(long))
			}
			if _, err := in.Open(t.Context()); (err == nil) != c.again {
				t.Errorf("opened again: %v", err)
			}

			ins := open(t, c.stdin(), "-")
			if err := ins.Files[0].Spool(t.Context()); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if text := readAll(t, ins.Files[0]); text != long {
					t.Errorf("spooled: got %d bytes, want %d", len(text), len(long))
				}
			}
		})
	}
	if _, err := input.Open(t.Context(), []string{"-"}, pipe(nil), ""); err == nil {
		t.Error("an empty pipe: got no error")
	}
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	paths := []string{
		write(t, dir, "plain.csv", []byte(content)), write(t, dir, "packed.csv.gz", gz(content)), write(t, dir, "e.zip", archive("e.csv", content)), "-",
	}
	for _, in := range open(t, pipe([]byte(content)), paths...).Files {
		for range 2 {
			f, err := in.File(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 3)
			if _, err := f.ReadAt(got, 4); err != nil || string(got) != "x,y" || f.Size() != int64(len(content)) {
				t.Errorf("%s: got %q of %d bytes, %v", in.Name, got, f.Size(), err)
			}
			f.Close()
		}
	}
}

func TestFingerprints(t *testing.T) {
	sum := func(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }
	dir := t.TempDir()
	packed := archive("a.csv", content, "b.csv", content)
	p := write(t, dir, "e.zip", packed)
	ins := open(t, pipe([]byte(content)), p, "-")
	id, err := ins.Identify(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	got := id.Stored
	fast := xxh3.HashString128(content).Bytes()
	want := []input.Fingerprint{
		{Name: p, Size: int64(len(packed)), SHA256: sum(packed)},
		{Name: "standard input", Size: int64(len(content)), XXH3: hex.EncodeToString(fast[:]), SHA256: sum([]byte(content))},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if text := readAll(t, ins.Files[2]); text != content {
		t.Errorf("after fingerprinting, standard input holds %q", text)
	}
}

func TestFormat(t *testing.T) {
	for text, want := range map[string]input.Format{
		content: input.Text, " {\"a\":1}\n": input.JSON, "PAR1....": input.Parquet, "Obj\x01": input.Avro, "ARROW1\x00\x00": input.Arrow,
		"PGDMP": input.PGCustom, "\x00\x01\x02": input.Binary, "\n\n": input.Empty, "a\x00,\x00b\x00": input.Text,
		"caf\xe9,na\xefve\n": input.Text, "\xff\xfea\x00\n\x00": input.Text,
	} {
		if got := open(t, strings.NewReader(text), "-").Files[0].Format(); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

func TestReadCanceled(t *testing.T) {
	in := open(t, strings.NewReader(content), "-").Files[0]
	ctx, cancel := context.WithCancel(t.Context())
	r, err := in.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.ReadAll(r); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

// Whatever bytes come in, reading ends, and an error says of which input.
func FuzzOpen(f *testing.F) {
	for _, seed := range [][]byte{[]byte(content), gz(content, content), zst(content), archive("a.csv", content, "b.csv.gz", string(gz(content))), []byte("BZh91AY&SY"), []byte("\xff\xfea\x00")} {
		f.Add(seed)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		ins, err := input.Open(t.Context(), []string{"-"}, pipe(data), dir)
		if err == nil {
			defer ins.Close()
			for _, in := range ins.Files {
				in.Format()
				var r io.ReadCloser
				if r, err = in.Text(t.Context()); err == nil {
					_, err = io.Copy(io.Discard, r)
					r.Close()
				}
			}
		}
		var positioned *input.Error
		if err != nil && !errors.As(err, &positioned) {
			t.Errorf("%v says not of which input", err)
		}
	})
}
