package main

import (
	"log/slog"
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/cilium/cilium/pkg/annotation"
	servicestore "github.com/cilium/cilium/pkg/clustermesh/store"
	cmtypes "github.com/cilium/cilium/pkg/clustermesh/types"
	slicestore "github.com/cilium/cilium/pkg/clustermesh/types/endpointslice"
	"github.com/cilium/cilium/pkg/k8s"
	slim_corev1 "github.com/cilium/cilium/pkg/k8s/slim/k8s/api/core/v1"
	slim_discovery_v1 "github.com/cilium/cilium/pkg/k8s/slim/k8s/api/discovery/v1"
	"github.com/cilium/cilium/pkg/kvstore/store"
	"github.com/cilium/cilium/pkg/loadbalancer"
)

// serviceEntries are the shared services with their backends. They do not contain affinity: each cluster's own Service sets it.
func serviceEntries(log *slog.Logger, cluster cmtypes.ClusterInfo) func(*objects) []store.Key {
	return func(from *objects) (entries []store.Key) {
		backends := map[string][]*slim_discovery_v1.EndpointSlice{}
		for _, slice := range from.backends() {
			name := serviceOf(slice)
			backends[name] = append(backends[name], slice)
		}
		for _, object := range from.services() {
			if !shared(from, object) {
				continue
			}
			service := servicestore.NewClusterService(object.Name, object.Namespace)
			service.Cluster, service.ClusterID = cluster.Name, cluster.ID
			service.Shared, service.IncludeExternal = true, true
			maps.Copy(service.Labels, object.Labels)
			maps.Copy(service.Selector, object.Spec.Selector)
			service.Frontends = frontends(object)
			service.Backends = map[string]servicestore.PortConfiguration{}
			for _, slice := range backends[object.Namespace+"/"+object.Name] {
				addBackends(&service, k8s.ParseEndpointSliceV1(log, slice))
			}
			entries = append(entries, &service)
		}
		return entries
	}
}

// sliceEntries are the EndpointSlices of shared services, unchanged.
func sliceEntries(cluster cmtypes.ClusterInfo) func(*objects) []store.Key {
	return func(from *objects) (entries []store.Key) {
		services := map[string]bool{}
		for _, service := range from.services() {
			services[service.Namespace+"/"+service.Name] = shared(from, service)
		}
		for _, slice := range from.backends() {
			if !services[serviceOf(slice)] {
				continue
			}
			entries = append(entries, &slicestore.ClusterEndpointSlice{
				Cluster:     cluster.Name,
				ClusterID:   cluster.ID,
				Namespace:   slice.Namespace,
				Name:        slice.Name,
				Labels:      slice.Labels,
				Annotations: slice.Annotations,
				AddressType: slice.AddressType,
				Endpoints:   slice.Endpoints,
				Ports:       slice.Ports,
			})
		}
		return entries
	}
}

// shared reports whether a service is shared: a global service is, unless its annotation says otherwise.
func shared(from *objects, service *slim_corev1.Service) bool {
	return annotation.GetAnnotationShared(service) && from.global(service.Namespace)
}

func serviceOf(slice *slim_discovery_v1.EndpointSlice) string {
	return slice.Namespace + "/" + slice.Labels[slim_discovery_v1.LabelServiceName]
}

func frontends(service *slim_corev1.Service) map[string]servicestore.PortConfiguration {
	if _, headless := service.Labels[corev1.IsHeadlessService]; headless || strings.EqualFold(service.Spec.ClusterIP, corev1.ClusterIPNone) {
		return nil
	}
	ports := servicestore.PortConfiguration{}
	for _, port := range service.Spec.Ports {
		ports[port.Name] = new(loadbalancer.NewL4Addr(loadbalancer.L4Type(port.Protocol), uint16(port.Port)))
	}
	addresses := service.Spec.ClusterIPs
	if len(addresses) == 0 {
		addresses = []string{service.Spec.ClusterIP}
	}
	all := map[string]servicestore.PortConfiguration{}
	for _, address := range addresses {
		all[address] = ports
	}
	return all
}

// addBackends leaves out backends that serve no requests. A terminating backend may still serve, and may be the last one.
func addBackends(service *servicestore.ClusterService, slice *k8s.Endpoints) {
	for cluster, backend := range slice.Backends {
		if !backend.Conditions.IsReady() && !backend.Conditions.IsServing() {
			continue
		}
		address := cluster.Addr().String()
		service.Backends[address] = backend.ToPortConfiguration()
		if backend.Hostname != "" {
			service.Hostnames[address] = backend.Hostname
		}
		if backend.Zone == "" {
			continue
		}
		zone := servicestore.BackendZone{Zone: backend.Zone, ForZones: []servicestore.ForZone{}}
		for _, name := range backend.HintsForZones {
			zone.ForZones = append(zone.ForZones, servicestore.ForZone{Name: name})
		}
		service.Zones[address] = zone
	}
}
