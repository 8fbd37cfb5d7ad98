// Command pulumi-language-python is the language host that Pulumi's engine starts to run Python
// programs, policy packs and other Python plugins.
//
// It joins the parts that Pulumi's Go SDK ships (virtual environments, the program executor, the
// policy proxy), for machines that reach the Go module proxy and no download of Pulumi's own
// host. It needs `pulumi-language-python-exec` beside it.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

// version is set by the linker to that of the pulumi Python SDK.
var version = "0.0.0-dev"

func main() {
	if err := serve(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-language-python:", err)
		os.Exit(1)
	}
}

// serve runs the host until the engine cancels it or goes away.
func serve(args []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	executor := filepath.Join(filepath.Dir(self), "pulumi-language-python-exec")
	if _, err := os.Stat(executor); err != nil {
		return fmt.Errorf("the program executor must lie beside this binary: %w", err)
	}

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	engine := engineAddress(args)
	if engine != "" {
		// An engine that was killed cannot say goodbye: without this the host would stay for ever.
		if err := rpcutil.Healthcheck(ctx, engine, 5*time.Minute, stop); err != nil {
			return fmt.Errorf("watch the engine at %s: %w", engine, err)
		}
	}
	cancel := make(chan bool)
	go func() {
		<-ctx.Done()
		close(cancel)
	}()

	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel: cancel,
		Init: func(server *grpc.Server) error {
			pulumirpc.RegisterLanguageRuntimeServer(server, newHost(ctx, stop, executor, engine))
			return nil
		},
	})
	if err != nil {
		return err
	}
	fmt.Println(handle.Port) // the engine reads the first line
	return <-handle.Done
}

// engineAddress returns the engine's gRPC address, the last argument, or "" when there is none.
// Unknown flags are ignored: engines may pass options that this host has no use for.
func engineAddress(args []string) string {
	flags := flag.NewFlagSet("pulumi-language-python", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Bool("logtostderr", false, "")
	flags.Bool("logflow", false, "")
	flags.Int("v", 0, "")
	flags.String("tracing", "", "")
	if err := flags.Parse(args); err != nil && len(args) > 0 {
		return args[len(args)-1]
	}
	return flags.Arg(flags.NArg() - 1)
}
