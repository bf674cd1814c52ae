//go:build cgo

package main

import (
	"database/sql"

	_ "github.com/duckdb/duckdb-go/v2"
)

const hasDuckDB = true

// runDuckDB is this program as DuckDB, in a process of its own.
func runDuckDB(script string) (err error) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec(script)
	return err
}
