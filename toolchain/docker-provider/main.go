// Command pulumi-resource-docker is Pulumi's provider of Docker resources.
//
// It puts Pulumi's bridge over the same upstream provider that the published plugin uses and
// serves the resource types of the pulumi_docker Python SDK of the same version, for machines
// that reach the Go module proxy and no plugin download.
package main

import (
	_ "embed"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
)

// version is set by the linker to that of the pulumi_docker SDK.
var version = "0.0.0-dev"

//go:embed schema.json
var schema []byte

func main() {
	tfbridge.Main("docker", version, providerInfo(), schema)
}
