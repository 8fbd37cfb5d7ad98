package main

import (
	"slices"
	"strings"
	"testing"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/pulumi/pulumi/sdk/v3/python/toolchain"
	"google.golang.org/protobuf/types/known/structpb"
)

func info(t *testing.T, options map[string]any) *pulumirpc.ProgramInfo {
	t.Helper()
	value, err := structpb.NewStruct(options)
	if err != nil {
		t.Fatal(err)
	}
	return &pulumirpc.ProgramInfo{RootDirectory: "/p", ProgramDirectory: "/p/src", EntryPoint: ".", Options: value}
}

func TestPythonOptions(t *testing.T) {
	got, err := pythonOptions(info(t, map[string]any{"virtualenv": ".venv", "toolchain": "uv"}))
	want := toolchain.PythonOptions{Root: "/p", ProgramDir: "/p/src", Virtualenv: ".venv", Toolchain: toolchain.Uv}
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for key, value := range map[string]string{"toolchain": "conda", "typechecker": "mypy"} {
		if _, err := pythonOptions(info(t, map[string]any{key: value})); err == nil || !strings.Contains(err.Error(), value) {
			t.Errorf("%s=%s: got error %v, want one that names the value", key, value, err)
		}
	}
}

func TestRunArguments(t *testing.T) {
	request := &pulumirpc.RunRequest{
		Project: "aidc", Stack: "dev", Organization: "organization", Pwd: "/p", Parallel: 16,
		MonitorAddress: "127.0.0.1:1", Info: info(t, nil), Args: []string{"extra"},
	}
	up := runArguments("/bin/executor", "127.0.0.1:2", request)
	want := strings.Fields("/bin/executor --monitor 127.0.0.1:1 --engine 127.0.0.1:2 --project aidc --stack dev " +
		"--organization organization --root_directory /p --pwd /p --parallel 16 /p/src extra")
	if !slices.Equal(up, want) {
		t.Errorf("got  %q\nwant %q", up, want)
	}
	request.DryRun = true
	preview := strings.Join(runArguments("/bin/executor", "127.0.0.1:2", request), " ")
	if !strings.Contains(preview, "--dry_run true") {
		t.Errorf("a preview lacks --dry_run true: %s", preview)
	}
}

func TestEnvironmentIsNeverNull(t *testing.T) {
	got, err := configEnvironment(nil, nil)
	if want := []string{"PULUMI_CONFIG={}", "PULUMI_CONFIG_SECRET_KEYS=[]"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if got, err := policyEnvironment(nil); err != nil || got != nil {
		t.Errorf("no stack: got %q, %v, want nothing", got, err)
	}
	got, err = policyEnvironment(&pulumirpc.AnalyzerStackConfigureRequest{Stack: "dev", DryRun: true})
	if err != nil || !slices.Contains(got, "PULUMI_STACK=dev") || !slices.Contains(got, "PULUMI_DRY_RUN=true") {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestEngineAddress(t *testing.T) {
	for args, want := range map[string]string{
		"":                                   "",
		"127.0.0.1:9":                        "127.0.0.1:9",
		"-v 9 --logtostderr 127.0.0.1:9":     "127.0.0.1:9",
		"--unknown=1 127.0.0.1:9":            "127.0.0.1:9",
		"--tracing file:/t.json 127.0.0.1:9": "127.0.0.1:9",
	} {
		if got := engineAddress(strings.Fields(args)); got != want {
			t.Errorf("%q: got %q, want %q", args, got, want)
		}
	}
}
