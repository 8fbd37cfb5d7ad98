// Package shim hands out the upstream provider's constructor.
//
// Upstream keeps it in an internal package. Go lets a module import an internal package when its
// own path lies below the same parent, which is why this module carries upstream's name.
package shim

import (
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/terraform-providers/terraform-provider-docker/internal/provider"
)

// NewProvider returns the upstream provider at the given version.
func NewProvider(version string) *schema.Provider {
	return provider.New(version)()
}
