//go:build !amd64 || purego

package pipeline

// areLowerUUIDs reports whether both texts are UUIDs in lower case.
func areLowerUUIDs(a, b string) bool { return areLowerUUIDsPortable(a, b) }
