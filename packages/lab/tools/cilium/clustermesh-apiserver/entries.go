package main

import (
	"net"

	"github.com/cilium/cilium/api/v1/models"
	cmtypes "github.com/cilium/cilium/pkg/clustermesh/types"
	"github.com/cilium/cilium/pkg/identity"
	"github.com/cilium/cilium/pkg/k8s"
	k8sconst "github.com/cilium/cilium/pkg/k8s/apis/cilium.io"
	cilium_v2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	"github.com/cilium/cilium/pkg/kvstore/store"
	"github.com/cilium/cilium/pkg/labels"
)

// nodeEntries are all nodes of the cluster, whichever namespaces are global: agents need them to reach each other.
func nodeEntries(cluster cmtypes.ClusterInfo) func(*objects) []store.Key {
	return func(from *objects) (entries []store.Key) {
		for _, object := range from.nodes() {
			node := k8s.ParseCiliumNode(object)
			node.Cluster, node.ClusterID = cluster.Name, cluster.ID
			entries = append(entries, &node)
		}
		return entries
	}
}

// identityEntries are identities by number. An identity without a namespace belongs to no pod and is not shared.
func identityEntries(from *objects) (entries []store.Key) {
	for _, object := range from.identities() {
		if from.global(object.SecurityLabels[labels.LabelSourceK8s+":"+k8sconst.PodNamespaceLabel]) {
			sorted := labels.Map2Labels(object.SecurityLabels, "").SortedList()
			entries = append(entries, store.NewKVPair(object.Name, string(sorted)))
		}
	}
	return entries
}

// endpointEntries are pods' addresses with their identities, from CiliumEndpoints or, if those are batched, from CiliumEndpointSlices.
func endpointEntries(from *objects) (entries []store.Key) {
	for _, object := range from.endpoints() {
		pair := identity.IPIdentityPair{
			K8sNamespace:      object.Namespace,
			K8sPodName:        object.Name,
			K8sServiceAccount: object.ServiceAccount,
			NamedPorts:        namedPorts(object.NamedPorts),
		}
		if object.Identity != nil {
			pair.ID = identity.NumericIdentity(object.Identity.ID)
		}
		if object.Encryption != nil {
			pair.Key = uint8(object.Encryption.Key)
		}
		if from.global(object.Namespace) {
			entries = append(entries, addressEntries(pair, object.Networking)...)
		}
	}
	for _, slice := range from.endpointSlices() {
		for _, object := range slice.Endpoints {
			pair := identity.IPIdentityPair{
				ID:                identity.NumericIdentity(object.IdentityID),
				Key:               uint8(object.Encryption.Key),
				K8sNamespace:      slice.Namespace,
				K8sPodName:        object.Name,
				K8sServiceAccount: object.ServiceAccount,
				NamedPorts:        namedPorts(object.NamedPorts),
			}
			if from.global(slice.Namespace) {
				entries = append(entries, addressEntries(pair, object.Networking)...)
			}
		}
	}
	return entries
}

func addressEntries(pair identity.IPIdentityPair, networking *cilium_v2.EndpointNetworking) (entries []store.Key) {
	if networking == nil {
		return nil
	}
	for _, addresses := range networking.Addressing {
		for _, address := range []string{addresses.IPV4, addresses.IPV6} {
			if address == "" {
				continue
			}
			entry := pair
			entry.IP, entry.HostIP = net.ParseIP(address), net.ParseIP(networking.NodeIP)
			entries = append(entries, &entry)
		}
	}
	return entries
}

func namedPorts(ports models.NamedPorts) []identity.NamedPort {
	named := make([]identity.NamedPort, len(ports))
	for i, port := range ports {
		named[i] = identity.NamedPort{Name: port.Name, Port: port.Port, Protocol: port.Protocol}
	}
	return named
}
