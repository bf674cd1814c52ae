package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// inShell and inPython match a call of hopper where a command line, or a list of
// arguments, says so.
var (
	inShell  = regexp.MustCompile(`(?:^|[\s/;])hopper (run [^\n>|;]*)`)
	inPython = regexp.MustCompile(`\["hopper", ([^\]]*)\]`)
)

// TestSchedulesCallWhatThereIs holds each call of hopper in the schedules to the
// commands and flags that there are, and to what keeps runs apart and state alive.
func TestSchedulesCallWhatThereIs(t *testing.T) {
	for file, must := range map[string][]string{
		"hopper.cron":         {"/etc/hopper/environment"},
		"hopper.service":      {"StateDirectory=hopper", "RestartPreventExitStatus=1 2 3", "TimeoutStopSec=30"},
		"airflow_dag.py":      {`pool="rybbit"`, "max_active_runs=1", "(4, 130)"},
		"dagster_job.py":      {`pool="rybbit"`, "(4, 130)"},
		"github-actions.yaml": {"cancel-in-progress: false", "actions/cache/save"},
		"cronjob.yaml":        {"concurrencyPolicy: Forbid"},
		"job.yaml":            nil,
	} {
		text := readSchedule(t, file)
		for _, part := range must {
			if !strings.Contains(text, part) {
				t.Errorf("%s lacks %s", file, part)
			}
		}
		calls := callsIn(t, file, text)
		if len(calls) == 0 {
			t.Errorf("%s does not call hopper", file)
		}
		for _, call := range calls {
			if err := checkCall(call); err != nil {
				t.Errorf("%s: hopper %s: %v", file, strings.Join(call, " "), err)
			}
		}
	}
}

func readSchedule(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("schedules", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// callsIn returns the arguments of each call of hopper in a file.
func callsIn(t *testing.T, file, text string) (calls [][]string) {
	t.Helper()
	for _, found := range inShell.FindAllStringSubmatch(text, -1) {
		calls = append(calls, strings.Fields(found[1]))
	}
	for _, found := range inPython.FindAllStringSubmatch(text, -1) {
		var call []string
		if err := json.Unmarshal([]byte("["+found[1]+"]"), &call); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		calls = append(calls, call)
	}
	if strings.HasSuffix(file, "job.yaml") {
		for _, object := range objectsIn(t, text) {
			if pod := podOf(object); pod != nil {
				calls = append(calls, pod.Containers[0].Args)
			}
		}
	}
	return calls
}

// checkCall parses a command line, and runs nothing.
func checkCall(call []string) error {
	root, _ := newRoot()
	cmd, rest, err := root.Find(call)
	switch {
	case err != nil:
		return err
	case cmd == root:
		return errors.New("no such command")
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}

// object is what the test reads of a Kubernetes object.
type object struct {
	Kind string
	Spec struct {
		Template    struct{ Spec pod }
		JobTemplate struct {
			Spec struct{ Template struct{ Spec pod } }
		} `yaml:"jobTemplate"`
	}
}

type pod struct {
	RestartPolicy string `yaml:"restartPolicy"`
	Grace         int    `yaml:"terminationGracePeriodSeconds"`
	Containers    []struct {
		Args         []string
		VolumeMounts []struct {
			Name string
			Path string `yaml:"mountPath"`
		} `yaml:"volumeMounts"`
	}
	Volumes []map[string]any
}

func objectsIn(t *testing.T, text string) (all []object) {
	t.Helper()
	decoder := yaml.NewDecoder(strings.NewReader(text))
	for {
		var o object
		err := decoder.Decode(&o)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
}

func podOf(o object) *pod {
	switch o.Kind {
	case "Job":
		return &o.Spec.Template.Spec
	case "CronJob":
		return &o.Spec.JobTemplate.Spec.Template.Spec
	}
	return nil
}

// TestPodsKeepTheirState holds that --state of the pods lies on a claimed volume.
func TestPodsKeepTheirState(t *testing.T) {
	for _, file := range []string{"cronjob.yaml", "job.yaml"} {
		found := false
		for _, o := range objectsIn(t, readSchedule(t, file)) {
			p := podOf(o)
			if p == nil {
				continue
			}
			args, claimed := p.Containers[0].Args, ""
			for _, v := range p.Volumes {
				if v["persistentVolumeClaim"] != nil {
					claimed = v["name"].(string)
				}
			}
			state := args[slices.Index(args, "--state")+1]
			for _, mount := range p.Containers[0].VolumeMounts {
				found = found || mount.Name == claimed && mount.Path == state
			}
			if p.RestartPolicy != "Never" || p.Grace < 25 {
				t.Errorf("%s: a pod restarts %q and is given %d s to stop", file, p.RestartPolicy, p.Grace)
			}
		}
		if !found {
			t.Errorf("%s: the state is on no claimed volume", file)
		}
	}
}

// TestSitesOfSchedules reads the file that all schedules run.
func TestSitesOfSchedules(t *testing.T) {
	text := readSchedule(t, "sites.yaml")
	s := &sitesFile{path: "sites.yaml", global: &global{logFormat: "text"}, lookup: func(string) (string, bool) { return "key", true }}
	state, entries, err := s.read(strings.NewReader(text))
	if err != nil || state != "/var/lib/hopper" || len(entries) != 2 {
		t.Fatalf("got %d sites in %q: %v", len(entries), state, err)
	}
	for _, e := range entries {
		e.cmd.SetIn(strings.NewReader(""))
		if _, _, err := e.flags.ready(e.cmd); err != nil || !e.flags.onlyNew {
			t.Errorf("site %s: %v", e.name, err)
		}
	}
	schema, err := jsonschema.NewCompiler().Compile(schemaPath)
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(asJSON(t, text)); err != nil {
		t.Error(err)
	}
}

// TestScheduleFilesAreWellFormed asks the tools that read them, where they are.
func TestScheduleFilesAreWellFormed(t *testing.T) {
	for _, file := range []string{"github-actions.yaml", "cronjob.yaml", "job.yaml"} {
		objectsIn(t, readSchedule(t, file))
	}
	t.Run("python", func(t *testing.T) {
		ask(t, "python3", "-c", "import ast, sys\nfor f in sys.argv[1:]: ast.parse(open(f).read(), f)", "schedules/airflow_dag.py", "schedules/dagster_job.py")
	})
	t.Run("systemd", func(t *testing.T) {
		dir := t.TempDir()
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{"hopper.service", "hopper.timer"} {
			text := strings.ReplaceAll(readSchedule(t, file), "/usr/local/bin/hopper", self)
			if err := os.WriteFile(filepath.Join(dir, file), []byte(strings.ReplaceAll(text, "Documentation=man:hopper-run(1)\n", "")), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		ask(t, "systemd-analyze", "verify", filepath.Join(dir, "hopper.service"), filepath.Join(dir, "hopper.timer"))
	})
	t.Run("shell", func(t *testing.T) {
		line := readSchedule(t, "hopper.cron")
		_, command, _ := strings.Cut(line[strings.LastIndex(strings.TrimSpace(line), "\n"):], "* * * hopper ")
		ask(t, "sh", "-n", "-c", command)
	})
}

func ask(t *testing.T, name string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("no %s here", name)
	}
	if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", name, err, out)
	}
}

// TestSchedulesPageNamesEachFile holds the page to the files.
func TestSchedulesPageNamesEachFile(t *testing.T) {
	page := readSchedule(t, "README.md")
	files, err := os.ReadDir("schedules")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name() != "README.md" && !strings.Contains(page, "("+f.Name()+")") {
			t.Errorf("README.md does not name %s", f.Name())
		}
	}
}
