// Package sandbox is a local server that behaves as Rybbit's import API does, for
// trying hopper out and for tests.
package sandbox
