package main

import (
	"testing"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
)

// The pulumi_docker SDK's names, where they differ from what the bridge would make of upstream's.
func TestNamesOfTheSDK(t *testing.T) {
	info := providerInfo()
	for resource, token := range map[string]string{
		"docker_container": "docker:index/container:Container",
		"docker_image":     "docker:index/remoteImage:RemoteImage",
		"docker_config":    "docker:index/serviceConfig:ServiceConfig",
		"docker_network":   "docker:index/network:Network",
		"docker_volume":    "docker:index/volume:Volume",
		"docker_tag":       "docker:index/tag:Tag",
	} {
		if got := info.Resources[resource]; got == nil || string(got.Tok) != token {
			t.Errorf("%s: got %+v, want token %s", resource, got, token)
		}
	}
	for _, row := range []struct{ resource, field, want string }{
		{"docker_container", "command", "command"},
		{"docker_container", "networks_advanced", "networksAdvanced"},
		{"docker_container", "ports", "ports"},
		{"docker_container", "upload", "uploads"},
		{"docker_container", "healthcheck", "healthcheck"},
		{"docker_network", "ipam_config", "ipamConfigs"},
	} {
		schema := info.P.ResourcesMap().Get(row.resource).Schema()
		got := tfbridge.TerraformToPulumiNameV2(row.field, schema, info.Resources[row.resource].Fields)
		if got != row.want {
			t.Errorf("%s.%s: got %s, want %s", row.resource, row.field, got, row.want)
		}
	}
}
