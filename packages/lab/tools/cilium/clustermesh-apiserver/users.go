package main

import (
	"fmt"
	"os"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	cmtypes "github.com/cilium/cilium/pkg/clustermesh/types"
)

// usersConfig names the etcd users of peers, each with a role. Without any, all peers authenticate as `remote`, which etcdinit creates.
type usersConfig struct {
	Enabled bool   `mapstructure:"cluster-users-enabled"`
	Path    string `mapstructure:"cluster-users-config-path"`
}

func (config usersConfig) Flags(flags *pflag.FlagSet) {
	flags.Bool("cluster-users-enabled", config.Enabled, "Users of etcd for remote clusters: rejected unless the file names none")
	flags.String("cluster-users-config-path", config.Path, "File that names the users of etcd for remote clusters")
}

// refuseUsers rejects a list of users: this stand-in would ignore it, and peers would be locked out.
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
			return fmt.Errorf("%s names the user %q, but this stand-in does not support users of etcd: let peers authenticate as \"remote\"", config.Path, user.Name)
		}
	}
	return nil
}
