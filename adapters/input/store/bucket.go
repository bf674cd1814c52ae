package store

import (
	"context"
	"net/url"
	"path"
	"slices"
	"strings"

	"hopper/adapters/input"
)

// A Bucket holds objects by key.
type Bucket interface {
	// Stat returns the object of a key; ok reports whether there is one.
	Stat(ctx context.Context, key string) (o input.Object, ok bool, err error)
	// List calls yield for each object whose key begins with prefix, in order
	// of the keys.
	List(ctx context.Context, prefix string, yield func(key string, o input.Object) error) error
}

// SplitAddress returns the bucket and the key of scheme://bucket/key.
func SplitAddress(address string) (bucket, key string, err error) {
	_, rest, _ := strings.Cut(address, "://")
	bucket, key, _ = strings.Cut(rest, "/")
	if bucket == "" || strings.ContainsAny(bucket, "@?#*[") {
		return "", "", input.Errorf(input.Printable(address), "names no bucket").Advise("write it as scheme://bucket/key")
	}
	return bucket, key, nil
}

// FindIn finds the object that an address names in a bucket, those that its
// key as a glob matches, or those beneath its key as a directory.
func FindIn(ctx context.Context, b Bucket, address string, found func(input.Object) error, passed func(input.PassedOver)) error {
	_, key, err := SplitAddress(address)
	if err != nil {
		return err
	}
	if key != "" && !strings.HasSuffix(key, "/") {
		o, ok, err := b.Stat(ctx, key)
		if err != nil {
			return err
		}
		if ok {
			o.Named = true
			return found(o)
		}
		if strings.ContainsAny(key, "*?[") {
			return glob(ctx, b, address, key, found)
		}
		key += "/"
	}
	files := 0
	err = b.List(ctx, key, func(name string, o input.Object) error {
		beneath := strings.TrimPrefix(name, key)
		switch {
		case beneath == "" || strings.HasSuffix(name, "/"): // stands for a directory
			return nil
		case slices.ContainsFunc(strings.Split(beneath, "/"), input.Hidden):
			passed(input.PassedOver{Name: o.Name, Why: "hidden"})
			return nil
		}
		files++
		return found(o)
	})
	if err == nil && files == 0 {
		return input.Errorf(address, "no such object, and none beneath it")
	}
	return err
}

// glob finds the objects whose keys match. As in a file system, a star does
// not match a slash.
func glob(ctx context.Context, b Bucket, address, pattern string, found func(input.Object) error) error {
	if _, err := path.Match(pattern, ""); err != nil {
		return &input.Error{Input: address, Err: err}
	}
	files := 0
	err := b.List(ctx, pattern[:strings.IndexAny(pattern, `*?[\`)], func(key string, o input.Object) error {
		if ok, _ := path.Match(pattern, key); !ok || strings.HasSuffix(key, "/") {
			return nil
		}
		files++
		o.Named = true
		return found(o)
	})
	if err == nil && files == 0 {
		return input.Errorf(address, "no object has such a name")
	}
	return err
}

// Secrets cuts what may be secret out of an error's text: queries of presigned
// addresses and user names with passwords.
func Secrets(err error) string {
	text := err.Error()
	for _, word := range strings.Fields(text) {
		plain := strings.Trim(word, `"',;:()`)
		if _, parseErr := url.Parse(plain); parseErr == nil && strings.Contains(plain, "://") {
			text = strings.ReplaceAll(text, plain, input.Printable(plain))
		}
	}
	return text
}
