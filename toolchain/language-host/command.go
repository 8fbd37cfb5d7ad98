package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/pulumi/pulumi/sdk/v3/python/toolchain"
)

// pythonOptions reads the `runtime.options` of Pulumi.yaml or PulumiPolicy.yaml.
func pythonOptions(info *pulumirpc.ProgramInfo) (toolchain.PythonOptions, error) {
	options := toolchain.PythonOptions{
		Root:       info.GetRootDirectory(),
		ProgramDir: info.GetProgramDirectory(),
	}
	given := info.GetOptions().AsMap()
	text := func(key string) string {
		value, _ := given[key].(string)
		return value
	}
	options.Virtualenv = text("virtualenv")
	switch name := text("toolchain"); name {
	case "":
	case "pip":
		options.Toolchain = toolchain.Pip
	case "uv":
		options.Toolchain = toolchain.Uv
	case "poetry":
		options.Toolchain = toolchain.Poetry
	default:
		return options, fmt.Errorf("runtime option toolchain: %q is not one of pip, uv, poetry", name)
	}
	if name := text("typechecker"); name != "" {
		return options, fmt.Errorf("runtime option typechecker: %q is not supported by this language host; "+
			"remove the option and run the type checker by itself", name)
	}
	return options, nil
}

// runArguments returns what follows `python -u` to run a program under the executor.
func runArguments(executor, engine string, request *pulumirpc.RunRequest) []string {
	args := []string{
		executor,
		"--monitor", request.GetMonitorAddress(),
		"--engine", engine,
		"--project", request.GetProject(),
		"--stack", request.GetStack(),
		"--organization", request.GetOrganization(),
		"--root_directory", request.GetInfo().GetRootDirectory(),
		"--pwd", request.GetPwd(),
		"--parallel", strconv.Itoa(int(request.GetParallel())),
	}
	if request.GetDryRun() {
		args = append(args, "--dry_run", "true")
	}
	program := filepath.Join(request.GetInfo().GetProgramDirectory(), request.GetInfo().GetEntryPoint())
	return append(append(args, program), request.GetArgs()...)
}

// configEnvironment returns a stack's configuration as the variables that the SDK reads.
func configEnvironment(config map[string]string, secretKeys []string) ([]string, error) {
	if config == nil {
		config = map[string]string{} // the SDK expects {} and [], never null
	}
	if secretKeys == nil {
		secretKeys = []string{}
	}
	values, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	keys, err := json.Marshal(secretKeys)
	if err != nil {
		return nil, err
	}
	return []string{
		"PULUMI_CONFIG=" + string(values),
		"PULUMI_CONFIG_SECRET_KEYS=" + string(keys),
	}, nil
}

// policyEnvironment returns the variables in which a policy pack expects its stack; none when the
// engine asks for no stack, as `pulumi policy publish` does.
func policyEnvironment(stack *pulumirpc.AnalyzerStackConfigureRequest) ([]string, error) {
	if stack == nil {
		return nil, nil
	}
	environment, err := configEnvironment(stack.GetConfig(), stack.GetConfigSecretKeys())
	if err != nil {
		return nil, err
	}
	return append(environment,
		"PULUMI_PROJECT="+stack.GetProject(),
		"PULUMI_STACK="+stack.GetStack(),
		"PULUMI_ORGANIZATION="+stack.GetOrganization(),
		"PULUMI_DRY_RUN="+strconv.FormatBool(stack.GetDryRun()),
	), nil
}
