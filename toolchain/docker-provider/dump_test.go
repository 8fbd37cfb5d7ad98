package main

import (
	"fmt"
	"testing"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim"
)

func TestDump(t *testing.T) {
	info := providerInfo()
	for name, res := range info.Resources {
		s := info.P.ResourcesMap().Get(name)
		s.Schema().Range(func(f string, sc shim.Schema) bool {
			p := tfbridge.TerraformToPulumiNameV2(f, s.Schema(), res.Fields)
			fmt.Println("PROP", res.Tok, p)
			if el, ok := sc.Elem().(shim.Resource); ok {
				var sub map[string]*tfbridge.SchemaInfo
				if fi := res.Fields[f]; fi != nil && fi.Elem != nil { sub = fi.Elem.Fields }
				el.Schema().Range(func(g string, _ shim.Schema) bool {
					fmt.Println("PROP", string(res.Tok)+"/"+p, tfbridge.TerraformToPulumiNameV2(g, el.Schema(), sub)); return true
				})
			}
			return true
		})
	}
}
