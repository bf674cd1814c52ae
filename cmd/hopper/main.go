// Command hopper moves a site's analytics history into Rybbit.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"hopper"
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

// gcPercent is lower than Go's default of 100 because a run allocates little once
// it is under way: most of the heap is the batch that is being filled, and the
// heap need not double before the next collection.
const gcPercent = 40

// headroom keeps collections apart while the heap is small. A run passes strings
// through that live for a chunk, so that a heap of 20 MB would be collected for
// every 8 MB. The block counts as heap, is never written to and so takes no memory:
// it allows some 26 MB more in between, however large the heap is.
const headroom = 64 << 20

// firstPercent delays the first collection until the heap has some 40 MB, ten times what Go
// begins to collect at. Small inputs need none then, and none is needed to count headroom.
// What packages allocate before main begins stays below those 4 MB, too: that is why large
// tables and patterns are made when they are first asked for.
const firstPercent = 1000

// heapOf is the heap for each processor, two at least, near which memory is
// collected more often: that much is in use where days of many rows are made visits
// of, and the heap need not grow by gcPercent of it. With the program itself, 256 MB
// are enough on two processors.
const heapOf = 96 << 20

func main() {
	debug.SetGCPercent(firstPercent)
	var block []byte
	// It runs at the end of the first collection: large objects are swept before others.
	runtime.SetFinalizer(new([64 << 10]byte), func(*[64 << 10]byte) {
		block = make([]byte, headroom)
		debug.SetGCPercent(gcPercent)
	})
	defer runtime.KeepAlive(&block) // which never runs, and holds it

	if debug.SetMemoryLimit(-1) == math.MaxInt64 { // GOMEMLIMIT does not say otherwise
		debug.SetMemoryLimit(headroom + heapOf*int64(max(2, runtime.GOMAXPROCS(0))))
	}
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root, g := newRoot()
	ctx, stop := interruptible(context.Background(), func() {
		message := "stopping; again to stop at once"
		if g.uploads {
			message = "stopping once the batch in flight is settled; again to stop at once"
		}
		say(g, stderr, slog.LevelWarn, message, "event", "stopping")
	})
	defer stop()
	root.SetArgs(args)
	root.SetIn(stdin)
	out := &terminalWriter{W: stdout}
	root.SetOut(out)
	g.stdout = stdout
	if newScreen(stdout).isTerminal() {
		g.stdout = out
	}
	root.SetErr(stderr)
	err := errors.Join(interrupted(ctx, root.ExecuteContext(ctx)), out.Close())
	code := exitCode(err)
	if err != nil {
		complain(root, g, args, stderr, code, err)
	}
	return code
}

// say prints a message of the program itself in the form that --log-format asks for.
func say(g *global, stderr io.Writer, level slog.Level, message string, attrs ...any) {
	if g.screen == nil {
		g.screen = newScreen(stderr)
	}
	stderr = g.screen // so that a line of progress is not written into
	if g.logFormat == "json" {
		slog.New(slog.NewJSONHandler(stderr, nil)).Log(context.Background(), level, message, attrs...)
		return
	}
	fmt.Fprintln(stderr, "hopper: "+printable(message))
}

// complain says why the program ends, and what to do.
func complain(root *cobra.Command, g *global, args []string, stderr io.Writer, code int, err error) {
	for _, e := range joinedErrors(err) {
		say(g, stderr, slog.LevelError, e.Error(), "event", "failed", "exit", code)
	}
	switch {
	case (code == exitAway || code == exitInterrupted) && g.uploads:
		say(g, stderr, slog.LevelInfo, "nothing is lost; run the same command again to go on", "event", "advice")
	case code == exitAway:
		say(g, stderr, slog.LevelInfo, "run the same command again once that is mended", "event", "advice")
	case code == exitUsage:
		say(g, stderr, slog.LevelInfo, "see "+commandPath(root, args)+" --help", "event", "advice")
	}
}

// joinedErrors returns the errors that were joined, each to be told in a line.
func joinedErrors(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || len(joined.Unwrap()) == 0 || errors.Join(joined.Unwrap()...).Error() != err.Error() {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, joinedErrors(e)...)
	}
	return all
}

// interrupted returns errInterrupted for an error that a signal caused, and err
// otherwise.
func interrupted(ctx context.Context, err error) error {
	if err != nil && context.Cause(ctx) == errInterrupted && errors.Is(err, context.Canceled) {
		return errInterrupted
	}
	return err
}

func commandPath(root *cobra.Command, args []string) string {
	cmd, _, err := root.Find(args)
	if err != nil || cmd.Name() == "help" {
		return root.CommandPath()
	}
	return cmd.CommandPath()
}

func exitCode(err error) int {
	var coded *exitError
	var option *hopper.OptionError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case errors.As(err, &coded):
		return coded.code
	case errors.As(err, &option):
		return exitUsage
	case hopper.Again(err):
		return exitAway
	}
	return exitFailed
}

// interruptible returns a context that the first SIGINT or SIGTERM ends with
// errInterrupted, after a notice. The second ends the process where it stands, which the
// ledger survives.
func interruptible(ctx context.Context, notice func()) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
			notice()
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
