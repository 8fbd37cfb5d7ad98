package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	sdk "github.com/pulumi/pulumi/sdk/v3"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/pulumi/pulumi/sdk/v3/python/toolchain"
	"google.golang.org/protobuf/types/known/emptypb"
)

// exitReported is the executor's exit code for "the program has shown its error already".
const exitReported = 32

// host answers the engine. Methods that it does not define (code generation, packing, linking)
// answer "unimplemented".
type host struct {
	pulumirpc.UnimplementedLanguageRuntimeServer
	ctx      context.Context // ends with the host, so that no program outlives it
	stop     context.CancelFunc
	executor string
	engine   string
}

func newHost(ctx context.Context, stop context.CancelFunc, executor, engine string) *host {
	return &host{ctx: ctx, stop: stop, executor: executor, engine: engine}
}

func (h *host) Handshake(
	_ context.Context, request *pulumirpc.LanguageHandshakeRequest,
) (*pulumirpc.LanguageHandshakeResponse, error) {
	h.engine = request.GetEngineAddress()
	return &pulumirpc.LanguageHandshakeResponse{}, nil
}

func (h *host) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: version}, nil
}

// GetRequiredPackages names none: the engine then takes the plugin versions that the SDK's
// packages register while the program runs.
func (h *host) GetRequiredPackages(
	context.Context, *pulumirpc.GetRequiredPackagesRequest,
) (*pulumirpc.GetRequiredPackagesResponse, error) {
	return &pulumirpc.GetRequiredPackagesResponse{}, nil
}

func (h *host) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	h.stop()
	return &emptypb.Empty{}, nil
}

// Run runs a Pulumi program to its end. What the program prints goes to the engine by way of
// this process's own streams.
func (h *host) Run(ctx context.Context, request *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	ctx, cancel := h.bound(ctx)
	defer cancel()
	python, err := resolve(ctx, request.GetInfo())
	if err != nil {
		return nil, err
	}
	command, err := pythonCommand(ctx, python, runArguments(h.executor, h.engine, request)...)
	if err != nil {
		return nil, err
	}
	environment, err := configEnvironment(request.GetConfig(), request.GetConfigSecretKeys())
	if err != nil {
		return nil, err
	}
	command.Env = append(command.Env, environment...)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr

	err = command.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return &pulumirpc.RunResponse{}, nil
	case errors.As(err, &exit) && exit.ExitCode() == exitReported:
		return &pulumirpc.RunResponse{Bail: true}, nil
	case errors.As(err, &exit):
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("Program %s", exit.ProcessState)}, nil
	default:
		return nil, fmt.Errorf("run %s: %w", command.Path, err)
	}
}

// RunPlugin runs a plugin written in Python and streams what it prints.
func (h *host) RunPlugin(
	request *pulumirpc.RunPluginRequest, server pulumirpc.LanguageRuntime_RunPluginServer,
) error {
	ctx, cancel := h.bound(server.Context())
	defer cancel()
	python, err := resolve(ctx, request.GetInfo())
	if err != nil {
		return err
	}
	closer, stdout, stderr, err := rpcutil.MakeRunPluginStreams(server, false)
	if err != nil {
		return err
	}
	defer closer.Close()

	if request.GetKind() == "analyzer" {
		err = runPolicyPack(ctx, python, request, stdout, stderr)
	} else {
		err = runPlugin(ctx, python, request, stdout, stderr)
	}

	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return server.Send(&pulumirpc.RunPluginResponse{
			Output: &pulumirpc.RunPluginResponse_Exitcode{Exitcode: int32(exit.ExitCode())},
		})
	}
	return err
}

// runPlugin runs a plugin's program directory with the engine's arguments.
func runPlugin(
	ctx context.Context, python toolchain.Toolchain, request *pulumirpc.RunPluginRequest, stdout, stderr io.Writer,
) error {
	args := append([]string{request.GetInfo().GetProgramDirectory()}, request.GetArgs()...)
	command, err := pythonCommand(ctx, python, args...)
	if err != nil {
		return err
	}
	command.Dir = request.GetPwd()
	command.Env = append(command.Env, request.GetEnv()...)
	command.Stdout, command.Stderr = stdout, stderr
	return command.Run()
}

// runPolicyPack starts a policy pack behind a proxy: the engine hands over the stack's
// configuration by gRPC, and the Python SDK expects it in its environment.
func runPolicyPack(
	ctx context.Context, python toolchain.Toolchain, request *pulumirpc.RunPluginRequest, stdout, stderr io.Writer,
) error {
	proxy, packOutput, err := sdk.NewPolicyProxy(ctx, stdout)
	if err != nil {
		return err
	}
	stack, err := proxy.AwaitConfiguration(ctx)
	if err != nil {
		return err
	}
	environment, err := policyEnvironment(stack)
	if err != nil {
		return err
	}
	pack := request.GetInfo().GetProgramDirectory()
	args := append([]string{"-m", "pulumi.policy"}, request.GetArgs()...)
	command, err := pythonCommand(ctx, python, append(args, pack)...)
	if err != nil {
		return err
	}
	command.Dir = request.GetPwd()
	command.Env = append(append(command.Env, request.GetEnv()...), environment...)
	command.Stdout, command.Stderr = packOutput, stderr
	if err := command.Start(); err != nil {
		return fmt.Errorf("start policy pack %s: %w", pack, err)
	}
	return proxy.Attach(ctx, command)
}

func (h *host) InstallDependencies(
	request *pulumirpc.InstallDependenciesRequest, server pulumirpc.LanguageRuntime_InstallDependenciesServer,
) error {
	python, err := pythonOf(request.GetInfo())
	if err != nil {
		return err
	}
	closer, stdout, stderr, err := rpcutil.MakeInstallDependenciesStreams(server, request.GetIsTerminal())
	if err != nil {
		return err
	}
	defer closer.Close()
	return python.InstallDependencies(server.Context(), request.GetInfo().GetProgramDirectory(),
		request.GetUseLanguageVersionTools(), true, stdout, stderr)
}

func (h *host) About(ctx context.Context, request *pulumirpc.AboutRequest) (*pulumirpc.AboutResponse, error) {
	python, err := resolve(ctx, request.GetInfo())
	if err != nil {
		return nil, err
	}
	about, err := python.About(ctx)
	if err != nil {
		return nil, err
	}
	return &pulumirpc.AboutResponse{
		Executable: about.PythonExecutable, Version: about.PythonVersion.String(),
	}, nil
}

func (h *host) GetProgramDependencies(
	ctx context.Context, request *pulumirpc.GetProgramDependenciesRequest,
) (*pulumirpc.GetProgramDependenciesResponse, error) {
	python, err := resolve(ctx, request.GetInfo())
	if err != nil {
		return nil, err
	}
	packages, err := python.ListPackages(ctx, request.GetTransitiveDependencies())
	if err != nil {
		return nil, err
	}
	response := &pulumirpc.GetProgramDependenciesResponse{}
	for _, item := range packages {
		response.Dependencies = append(response.Dependencies,
			&pulumirpc.DependencyInfo{Name: item.Name, Version: item.Version})
	}
	return response, nil
}

// pythonOf returns the Python that a program's options name.
func pythonOf(info *pulumirpc.ProgramInfo) (toolchain.Toolchain, error) {
	options, err := pythonOptions(info)
	if err != nil {
		return nil, err
	}
	return toolchain.ResolveToolchain(options)
}

// resolve returns the Python of a program whose virtual environment must exist.
func resolve(ctx context.Context, info *pulumirpc.ProgramInfo) (toolchain.Toolchain, error) {
	python, err := pythonOf(info)
	if err != nil {
		return nil, err
	}
	return python, python.ValidateVenv(ctx)
}

// bound returns the call's context, ended early when the host is told to stop.
func (h *host) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(h.ctx, cancel)
	return ctx, cancel
}

// pythonCommand prepares `python -u ARGS…`, to be killed when ctx ends.
func pythonCommand(ctx context.Context, python toolchain.Toolchain, args ...string) (*exec.Cmd, error) {
	command, err := python.Command(ctx, append([]string{"-u"}, args...)...)
	if err != nil {
		return nil, err
	}
	if command.Env == nil { // the ambient Python: the SDK leaves the environment to us
		command.Env = os.Environ()
	}
	return command, nil
}
