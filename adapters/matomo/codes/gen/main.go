// Command gen writes codes.txt, the table behind package codes, from the npm package
// node-device-detector 2.2.7, whose tarball, as "npm pack" leaves it, is its argument:
//
//	npm pack --pack-destination DIR node-device-detector@2.2.7
//	go run ./adapters/matomo/codes/gen DIR/node-device-detector-2.2.7.tgz >adapters/matomo/codes/codes.txt
//
// The table has a line for each code, in order: what it is of, the code, the name.
package main

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"regexp"
	"slices"
)

// members are the files that hold codes, and what of.
var members = map[string]string{
	"package/parser/client/browser-short.js": "browser",
	"package/parser/os/os_systems.js":        "system",
}

// entry is 'CH': 'Chrome', in either kind of quotes.
var entry = regexp.MustCompile(`(?m)^\s*['"]?(\w+)['"]?:\s*(?:'([^']*)'|"([^"]*)"),?\s*$`)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: gen node-device-detector-2.2.7.tgz")
	}
	if err := generate(os.Args[1], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func generate(tarball string, out io.Writer) error {
	f, err := os.Open(tarball)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	var lines []string
	found := 0
	for t := tar.NewReader(z); ; {
		header, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		of, wanted := members[header.Name]
		if !wanted {
			continue
		}
		found++
		text, err := io.ReadAll(t)
		if err != nil {
			return err
		}
		for _, m := range entry.FindAllStringSubmatch(string(text), -1) {
			lines = append(lines, fmt.Sprintf("%s\t%s\t%s%s\n", of, m[1], m[2], m[3]))
		}
	}
	if found != len(members) {
		return fmt.Errorf("%s holds %d of %d files of codes", tarball, found, len(members))
	}
	slices.Sort(lines)
	w := bufio.NewWriter(out)
	for _, line := range slices.Compact(lines) {
		w.WriteString(line)
	}
	return w.Flush()
}
