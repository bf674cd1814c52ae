//go:build !cgo

package main

import "errors"

const hasDuckDB = false

func runDuckDB(string) error { return errors.New("DuckDB needs a C compiler to be linked in") }
