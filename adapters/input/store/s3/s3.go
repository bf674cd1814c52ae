// Package s3 is the store of s3:// addresses: Amazon S3 and what speaks its
// protocol (MinIO, R2, B2), with the AWS tools' usual configuration: profiles,
// AWS_ACCESS_KEY_ID, roles, AWS_REGION, AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_S3.
package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	"github.com/xitongsys/parquet-go-source/s3v2"

	"hopper/adapters/input"
	"hopper/adapters/input/handles"
	"hopper/adapters/input/store"
)

// Store reads buckets. The zero value is ready for use.
type Store struct {
	Retry store.Retry

	setup  sync.Once
	client *s3.Client
	err    error
}

// Schemes returns s3.
func (*Store) Schemes() []string { return []string{"s3"} }

// Find finds s3://bucket/key, the keys that a glob matches, or all beneath a prefix.
func (s *Store) Find(ctx context.Context, address string, found func(input.Object) error, passed func(input.PassedOver)) error {
	name, _, err := store.SplitAddress(address)
	if err != nil {
		return err
	}
	if err := s.connected(ctx, address); err != nil {
		return err
	}
	return store.FindIn(ctx, &bucket{s, name}, address, found, passed)
}

func (s *Store) connected(ctx context.Context, address string) error {
	s.setup.Do(func() { s.client, s.err = connect(ctx) })
	if s.err != nil {
		return input.Errorf(address, "reading the configuration of AWS: %w", s.err).Advise("check AWS_PROFILE and ~/.aws/config")
	}
	return nil
}

// maxPut is the largest object that one request can bring.
const maxPut = 5 << 30

// Put writes size bytes of content, from their beginning, to s3://bucket/key: all of
// them or nothing.
func (s *Store) Put(ctx context.Context, address string, content io.ReadSeeker, size int64) error {
	name, key, err := store.SplitAddress(address)
	if err == nil {
		err = s.connected(ctx, address)
	}
	if err != nil {
		return err
	}
	if size > maxPut {
		return input.Errorf(address, "would have %d bytes, and an object written at once has at most %d", size, int64(maxPut)).Advise("write it in parts")
	}
	return s.Retry.Do(ctx, address, func() error {
		if _, err := content.Seek(0, io.SeekStart); err != nil {
			return err
		}
		_, err := s.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &name, Key: &key, Body: content, ContentLength: &size}, func(o *s3.Options) {
			o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired // not all servers know the newer ones
		})
		if err != nil {
			return explain(address, err)
		}
		return nil
	})
}

// connect makes a client that also reads public buckets where there are no credentials.
func connect(ctx context.Context) (*s3.Client, error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithLogger(logging.Nop{}))
	if err != nil {
		return nil, err
	}
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	if cfg.Credentials == nil {
		cfg.Credentials = aws.AnonymousCredentials{}
	} else if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		cfg.Credentials = aws.AnonymousCredentials{}
	}
	return s3.NewFromConfig(cfg, func(o *s3.Options) {
		// Names of buckets are no names of hosts behind an endpoint of one's own.
		o.UsePathStyle = o.BaseEndpoint != nil
		o.Retryer = aws.NopRetryer{} // the store tries again by itself
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	}), nil
}

type bucket struct {
	store *Store
	name  string
}

func (b *bucket) object(key string, size int64, etag *string) input.Object {
	name := "s3://" + b.name + "/" + key
	o := input.Object{Name: name, ID: name, Size: size, Contents: &contents{b, name, key, size, aws.ToString(etag)}}
	if etag != nil {
		o.Version = "etag " + *etag
	}
	return o
}

func (b *bucket) Stat(ctx context.Context, key string) (o input.Object, ok bool, err error) {
	name := "s3://" + b.name + "/" + key
	err = b.store.Retry.Do(ctx, name, func() error {
		head, err := b.store.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.name, Key: &key})
		if status(err) == http.StatusNotFound {
			return nil
		}
		if err != nil {
			return explain(name, err)
		}
		o, ok = b.object(key, aws.ToInt64(head.ContentLength), head.ETag), true
		return nil
	})
	return o, ok, err
}

func (b *bucket) List(ctx context.Context, prefix string, yield func(string, input.Object) error) error {
	name := "s3://" + b.name + "/" + prefix
	pages := s3.NewListObjectsV2Paginator(b.store.client, &s3.ListObjectsV2Input{Bucket: &b.name, Prefix: &prefix})
	for pages.HasMorePages() {
		var page *s3.ListObjectsV2Output
		err := b.store.Retry.Do(ctx, name, func() (err error) {
			if page, err = pages.NextPage(ctx); err != nil {
				return explain(name, err)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, o := range page.Contents {
			if err := yield(*o.Key, b.object(*o.Key, aws.ToInt64(o.Size), o.ETag)); err != nil {
				return err
			}
		}
	}
	return nil
}

// contents are an object's, as long as it has this ETag.
type contents struct {
	bucket *bucket
	name   string
	key    string
	size   int64
	etag   string
}

func (c *contents) Open(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	end := c.size
	if length >= 0 {
		end = min(end, offset+length)
	}
	return c.bucket.store.Retry.Resume(ctx, c.name, offset, end, func(ctx context.Context, offset int64) (io.ReadCloser, error) {
		get := &s3.GetObjectInput{Bucket: &c.bucket.name, Key: &c.key}
		if offset > 0 || end < c.size {
			get.Range = aws.String(fmt.Sprintf("bytes=%d-%d", offset, end-1))
		}
		out, err := unchanged{c.bucket.store.client, c}.GetObject(ctx, get)
		if err != nil {
			return nil, err
		}
		return out.Body, nil
	})
}

// minRequest is the least that is asked for at a time. Readers of Parquet ask
// for more, and its directory fits into one request.
const minRequest = 1 << 20

func (c *contents) OpenAt(ctx context.Context) (input.ReaderAtCloser, error) {
	file, err := s3v2.NewS3FileReaderWithParams(ctx, s3v2.S3FileReaderParams{
		Bucket: c.bucket.name, Key: c.key, S3Client: unchanged{c.bucket.store.client, c}, MinRequestSize: minRequest,
	})
	if err != nil {
		return nil, err
	}
	return c.bucket.store.Retry.ReaderAt(ctx, c.name, handles.New(file, c.size)), nil
}

// unchanged is a client that reads an object only as it was when it was found.
type unchanged struct {
	*s3.Client
	contents *contents
}

func (u unchanged) HeadObject(ctx context.Context, in *s3.HeadObjectInput, options ...func(*s3.Options)) (*s3.HeadObjectOutput, error) {
	// What it would answer was answered when the object was found.
	return &s3.HeadObjectOutput{ContentLength: &u.contents.size}, ctx.Err()
}

func (u unchanged) GetObject(ctx context.Context, in *s3.GetObjectInput, options ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	if u.contents.etag != "" {
		in.IfMatch = &u.contents.etag
	}
	out, err := u.Client.GetObject(ctx, in, options...)
	if err != nil {
		return nil, explain(u.contents.name, err)
	}
	// Some servers do not know If-Match.
	if etag := aws.ToString(out.ETag); etag != "" && etag != u.contents.etag {
		out.Body.Close()
		return nil, store.Changed(u.contents.name)
	}
	return out, nil
}

func status(err error) int {
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		return response.HTTPStatusCode()
	}
	return 0
}

// explain returns what an error means, as an [input.Error] where it is for good.
func explain(name string, err error) error {
	var api smithy.APIError
	what := errors.New(store.Secrets(err))
	if errors.As(err, &api) {
		what = fmt.Errorf("the store answered %s", api.ErrorCode())
	}
	e := &input.Error{Input: name, Err: what}
	switch code := status(err); {
	case code == http.StatusPreconditionFailed:
		return store.Changed(name)
	case code == http.StatusNotFound:
		return e.Advise("check the names of bucket and key")
	case code == http.StatusUnauthorized || code == http.StatusForbidden || code == http.StatusBadRequest:
		return e.Advise("check the credentials (AWS_PROFILE or AWS_ACCESS_KEY_ID) and that they may read and list it")
	case code == http.StatusMovedPermanently || code == http.StatusTemporaryRedirect:
		return e.Advise("set AWS_REGION to the bucket's region")
	case code >= 400 && code < 500 && code != http.StatusTooManyRequests && code != http.StatusRequestTimeout:
		return e
	}
	return what // may pass
}
