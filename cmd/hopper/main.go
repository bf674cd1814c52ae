// Command hopper moves a site's analytics history into Rybbit.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"hopper/sinks/rybbit"
)

// version is set by the linker.
var version = "dev"

// Exit codes are a contract with schedulers; the README lists them.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitRejects     = 3 // done, and something was found wanting
	exitAway        = 4 // run the same command again
	exitInterrupted = 130
)

var errInterrupted = errors.New("interrupted")

// exitError is an error with an exit code of its own.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// gcPercent lets the heap grow by less than Go's default between collections:
// little is allocated once a run is under way, and the batch being filled is
// most of what lives.
const gcPercent = 40

func main() {
	debug.SetGCPercent(gcPercent)
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := interruptible(context.Background(), stderr)
	defer stop()
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := interrupted(ctx, root.ExecuteContext(ctx))
	code := exitCode(err)
	if err != nil {
		fmt.Fprintln(stderr, "hopper: "+err.Error())
		switch code {
		case exitAway, exitInterrupted:
			fmt.Fprintln(stderr, "hopper: nothing is lost; run the same command again to go on")
		case exitUsage:
			fmt.Fprintln(stderr, "hopper: see hopper "+commandName(root, args)+"--help")
		}
	}
	return code
}

// interrupted tells an end by a signal from other errors, wherever it was met.
func interrupted(ctx context.Context, err error) error {
	if err != nil && context.Cause(ctx) == errInterrupted && errors.Is(err, context.Canceled) {
		return errInterrupted
	}
	return err
}

func commandName(root *cobra.Command, args []string) string {
	cmd, _, err := root.Find(args)
	if err != nil || cmd == root {
		return ""
	}
	return cmd.Name() + " "
}

func exitCode(err error) int {
	var coded *exitError
	var away *rybbit.AwayError
	var rewind *rybbit.RewindError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case errors.As(err, &coded):
		return coded.code
	case errors.As(err, &away), errors.As(err, &rewind), errors.Is(err, rybbit.ErrLedger), errors.Is(err, rybbit.ErrLocked),
		rybbit.Temporary(err):
		return exitAway
	}
	return exitFailed
}

// interruptible returns a context that the first SIGINT or SIGTERM ends with
// errInterrupted. The second ends the process where it stands, which the
// ledger survives.
func interruptible(ctx context.Context, stderr io.Writer) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
			fmt.Fprintln(stderr, "hopper: stopping once the batch in flight is settled; again to stop at once")
			cancel(errInterrupted)
		case <-ctx.Done():
			return
		}
		<-signals
		os.Exit(exitInterrupted)
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}
