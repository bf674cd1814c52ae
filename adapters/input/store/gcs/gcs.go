// Package gcs is the store of gs:// addresses: Google Cloud Storage, with the
// usual credentials (gcloud auth application-default login,
// GOOGLE_APPLICATION_CREDENTIALS, a machine's service account) and
// STORAGE_EMULATOR_HOST.
package gcs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"

	"cloud.google.com/go/storage"
	source "github.com/xitongsys/parquet-go-source/gcs"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	transport "google.golang.org/api/transport/http"

	"hopper/adapters/input"
	"hopper/adapters/input/handles"
	"hopper/adapters/input/store"
)

// Store reads buckets. The zero value is ready for use.
type Store struct {
	Retry store.Retry

	setup  sync.Once
	http   http.RoundTripper // with credentials
	client *storage.Client
	err    error

	setupPut sync.Once
	writer   *storage.Client // which may also write
	errPut   error
}

// Schemes returns gs.
func (*Store) Schemes() []string { return []string{"gs"} }

// Find finds gs://bucket/name, the names that a glob matches, or all beneath a prefix.
func (s *Store) Find(ctx context.Context, address string, found func(input.Object) error, passed func(input.PassedOver)) error {
	name, _, err := store.SplitAddress(address)
	if err != nil {
		return err
	}
	s.setup.Do(func() { s.http, s.client, s.err = connect(ctx, storage.ScopeReadOnly) })
	if s.err != nil {
		return input.Errorf(address, "connecting to Google Cloud Storage: %s", store.Secrets(s.err)).Advise(login)
	}
	return store.FindIn(ctx, &bucket{s, s.client.Bucket(name), name}, address, found, passed)
}

const login = "run gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS"

// Put writes content, from its beginning, to gs://bucket/name: all of it or nothing.
func (s *Store) Put(ctx context.Context, address string, content io.ReadSeeker, _ int64) error {
	name, object, err := store.SplitAddress(address)
	if err != nil {
		return err
	}
	s.setupPut.Do(func() { _, s.writer, s.errPut = connect(ctx, storage.ScopeReadWrite) })
	if s.errPut != nil {
		return input.Errorf(address, "connecting to Google Cloud Storage: %s", store.Secrets(s.errPut)).Advise(login)
	}
	return s.Retry.Do(ctx, address, func() error {
		if _, err := content.Seek(0, io.SeekStart); err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel() // which leaves no object where not all was written
		w := s.writer.Bucket(name).Object(object).NewWriter(ctx)
		w.ChunkSize = 0 // one request
		if _, err := io.Copy(w, content); err != nil {
			return explain(address, err)
		}
		if err := w.Close(); err != nil {
			return explain(address, err)
		}
		return nil
	})
}

// connect makes a client that also reads public buckets where there are no credentials.
func connect(ctx context.Context, scope string) (http.RoundTripper, *storage.Client, error) {
	base := http.DefaultTransport.(*http.Transport).Clone()
	transported := http.RoundTripper(base)
	if os.Getenv("STORAGE_EMULATOR_HOST") == "" {
		// The credentials are asked for more of them later, for as long as the process lives.
		with, err := transport.NewTransport(context.WithoutCancel(ctx), base, option.WithScopes(scope))
		if err == nil {
			transported = with
		}
	}
	client, err := newClient(ctx, transported)
	return transported, client, err
}

// newClient makes a client that tries once: by itself it would try for ever.
func newClient(ctx context.Context, transport http.RoundTripper) (*storage.Client, error) {
	client, err := storage.NewClient(ctx, option.WithHTTPClient(&http.Client{Transport: transport}))
	if err == nil {
		client.SetRetry(storage.WithPolicy(storage.RetryNever))
	}
	return client, err
}

type bucket struct {
	store  *Store
	handle *storage.BucketHandle
	name   string
}

func (b *bucket) address(name string) string { return "gs://" + b.name + "/" + name }

func (b *bucket) object(a *storage.ObjectAttrs) input.Object {
	address := b.address(a.Name)
	return input.Object{
		Name: address, ID: address, Size: a.Size, Version: fmt.Sprint("generation ", a.Generation),
		Contents: &contents{b, address, a.Name, a.Size, a.Generation},
	}
}

func (b *bucket) Stat(ctx context.Context, name string) (o input.Object, ok bool, err error) {
	err = b.store.Retry.Do(ctx, b.address(name), func() error {
		attrs, err := b.handle.Object(name).Attrs(ctx)
		if errors.Is(err, storage.ErrObjectNotExist) {
			return nil
		}
		if err != nil {
			return explain(b.address(name), err)
		}
		o, ok = b.object(attrs), true
		return nil
	})
	return o, ok, err
}

func (b *bucket) List(ctx context.Context, prefix string, yield func(string, input.Object) error) error {
	token := ""
	for {
		var page []*storage.ObjectAttrs
		next := ""
		err := b.store.Retry.Do(ctx, b.address(prefix), func() (err error) {
			page = page[:0]
			objects := b.handle.Objects(ctx, &storage.Query{Prefix: prefix, Projection: storage.ProjectionNoACL})
			if next, err = iterator.NewPager(objects, 1000, token).NextPage(&page); err != nil {
				return explain(b.address(prefix), err)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, a := range page {
			if err := yield(a.Name, b.object(a)); err != nil {
				return err
			}
		}
		if token = next; token == "" {
			return nil
		}
	}
}

// contents are those of one generation of an object.
type contents struct {
	bucket     *bucket
	address    string
	name       string
	size       int64
	generation int64
}

func (c *contents) Open(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	end := c.size
	if length >= 0 {
		end = min(end, offset+length)
	}
	// As stored: a gzip is unpacked like any other input.
	object := c.bucket.handle.Object(c.name).Generation(c.generation).ReadCompressed(true)
	return c.bucket.store.Retry.Resume(ctx, c.address, offset, end, func(ctx context.Context, offset int64) (io.ReadCloser, error) {
		r, err := object.NewRangeReader(ctx, offset, end-offset)
		if err != nil {
			return nil, explain(c.address, err)
		}
		return r, nil
	})
}

func (c *contents) OpenAt(ctx context.Context) (input.ReaderAtCloser, error) {
	client, err := newClient(ctx, generation{c.bucket.store.http, fmt.Sprint(c.generation)})
	if err != nil {
		return nil, err
	}
	file, err := source.NewGcsFileReaderWithClient(ctx, client, "", c.bucket.name, c.name)
	if err != nil {
		client.Close()
		return nil, explain(c.address, err)
	}
	at := closing{handles.New(file, c.size), client}
	return c.bucket.store.Retry.ReaderAt(ctx, c.address, at), nil
}

// closing closes the client too.
type closing struct {
	*handles.ReaderAt
	client *storage.Client
}

func (c closing) Close() error { return errors.Join(c.ReaderAt.Close(), c.client.Close()) }

// generation asks for one generation of an object, which the source that reads
// it knows nothing of.
type generation struct {
	base   http.RoundTripper
	number string
}

func (g generation) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	query := req.URL.Query()
	query.Set("generation", g.number)
	req.URL.RawQuery = query.Encode()
	return g.base.RoundTrip(req)
}

// explain returns what an error means, as an [input.Error] where it is for good.
func explain(address string, err error) error {
	var api *googleapi.Error
	switch {
	case errors.Is(err, storage.ErrObjectNotExist):
		return store.Changed(address) // it was there when it was found
	case errors.Is(err, storage.ErrBucketNotExist):
		return input.Errorf(address, "no such bucket").Advise("check its name")
	case !errors.As(err, &api):
		return errors.New(store.Secrets(err)) // may pass
	}
	e := input.Errorf(address, "the store answered %d %s", api.Code, http.StatusText(api.Code))
	switch code := api.Code; {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return e.Advise("check that the account may read and list the bucket; %s", login)
	case code == http.StatusPreconditionFailed:
		return store.Changed(address)
	case code >= 400 && code < 500 && code != http.StatusTooManyRequests && code != http.StatusRequestTimeout:
		return e
	}
	return e.Err // may pass
}
