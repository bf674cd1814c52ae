package hopper_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// eventName is how what happened is called in JSON lines.
var eventName = regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)

// TestLogLinesNameTheirEvent holds that programs need not read sentences: each
// message of the log says by a name of its own what happened.
func TestLogLinesNameTheirEvent(t *testing.T) {
	lines := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || !isLogCall(call) {
				return true
			}
			lines++
			if len(call.Args) < 3 || text(call.Args[1]) != "event" || !isEventName(call.Args[2]) {
				t.Errorf("%s: a message of the log without \"event\" and a name behind it", files.Position(call.Pos()))
			}
			return true
		})
		return nil
	})
	if err != nil || lines < 20 {
		t.Errorf("%d messages found (%v); is this test blind?", lines, err)
	}
}

// isLogCall recognizes log.Warn(…) and x.log.Info(…).
func isLogCall(call *ast.CallExpr) bool {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !slices.Contains([]string{"Info", "Warn", "Error"}, method.Sel.Name) {
		return false
	}
	switch of := method.X.(type) {
	case *ast.Ident:
		return strings.EqualFold(of.Name, "log")
	case *ast.SelectorExpr:
		return strings.EqualFold(of.Sel.Name, "log")
	}
	return false
}

// isEventName accepts a name, and one that is put together of constants and a variable.
func isEventName(e ast.Expr) bool {
	if sum, ok := e.(*ast.BinaryExpr); ok {
		return strings.HasSuffix(text(sum.X), "_")
	}
	return eventName.MatchString(text(e))
}

// text returns the value of a string literal.
func text(e ast.Expr) string {
	literal, ok := e.(*ast.BasicLit)
	if !ok {
		return ""
	}
	s, err := strconv.Unquote(literal.Value)
	if err != nil {
		return ""
	}
	return s
}
