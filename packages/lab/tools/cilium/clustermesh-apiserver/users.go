package main

import (
	"fmt"
	"os"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	cmtypes "github.com/cilium/cilium/pkg/clustermesh/types"
)

// usersConfig names the users that peers come as, each with a role. Without any they all come as `remote`, which etcdinit makes.
type usersConfig struct {
	Enabled bool   `mapstructure:"cluster-users-enabled"`
	Path    string `mapstructure:"cluster-users-config-path"`
}

func (config usersConfig) Flags(flags *pflag.FlagSet) {
	flags.Bool("cluster-users-enabled", config.Enabled, "Users of etcd for remote clusters: refused, unless the file names none")
	flags.String("cluster-users-config-path", config.Path, "File that names the users of etcd for remote clusters")
}

// refuseUsers keeps peers from being locked out by a list that this stand-in would not follow.
func refuseUsers(config usersConfig, cluster cmtypes.ClusterInfo) error {
	if !config.Enabled {
		return nil
	}
	content, err := os.ReadFile(config.Path)
	if err != nil {
		return fmt.Errorf("cluster-users-config-path: %w", err)
	}
	var file struct {
		Users []struct{ Name string }
	}
	if err := yaml.Unmarshal(content, &file); err != nil {
		return fmt.Errorf("cluster-users-config-path %s: %w", config.Path, err)
	}
	for _, user := range file.Users {
		if user.Name != cluster.Name {
			return fmt.Errorf("%s names the user %q, but this stand-in manages no users of etcd: let peers come as \"remote\"", config.Path, user.Name)
		}
	}
	return nil
}
