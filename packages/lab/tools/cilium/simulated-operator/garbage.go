package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"

	cilium_v2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	k8sClient "github.com/cilium/cilium/pkg/k8s/client"
	ciliuminformers "github.com/cilium/cilium/pkg/k8s/client/informers/externalversions"
	ciliumlisters "github.com/cilium/cilium/pkg/k8s/client/listers/cilium.io/v2"
)

// garbage removes objects of agents that ended before they could delete them, unless Kubernetes deletes the objects with their owners.
type garbage struct {
	log         *slog.Logger
	config      config
	client      k8sClient.Clientset
	pods        corelisters.PodLister
	nodes       corelisters.NodeLister
	endpoints   ciliumlisters.CiliumEndpointLister
	ciliumNodes ciliumlisters.CiliumNodeLister
	// orphans are the CiliumNodes that had no node at the last run. They are removed at the next one, since a node may be seen later than its CiliumNode.
	orphans map[string]bool
}

func newGarbage(
	log *slog.Logger, config config, client k8sClient.Clientset, kubernetes informers.SharedInformerFactory, cilium ciliuminformers.SharedInformerFactory,
) *garbage {
	g := &garbage{
		log:         log,
		config:      config,
		client:      client,
		pods:        kubernetes.Core().V1().Pods().Lister(),
		nodes:       kubernetes.Core().V1().Nodes().Lister(),
		endpoints:   cilium.Cilium().V2().CiliumEndpoints().Lister(),
		ciliumNodes: cilium.Cilium().V2().CiliumNodes().Lister(),
	}
	return g
}

func (g *garbage) run(ctx context.Context) {
	var work sync.WaitGroup
	work.Go(func() { g.every(ctx, g.config.EndpointInterval, g.removeEndpoints) })
	work.Go(func() { g.every(ctx, g.config.NodeInterval, g.removeNodes) })
	work.Wait()
}

func (g *garbage) every(ctx context.Context, interval time.Duration, remove func(context.Context) error) {
	if interval == 0 {
		return
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := remove(ctx); err != nil && ctx.Err() == nil {
			g.log.Warn("objects without an owner are not removed yet; retrying at the next run", slog.Any("error", err))
		}
	}
}

func (g *garbage) removeEndpoints(ctx context.Context) error {
	endpoints, err := g.endpoints.List(labels.Everything())
	if err != nil {
		return err
	}
	for _, endpoint := range endpoints {
		// A pod may be seen later than its endpoint.
		if time.Since(endpoint.CreationTimestamp.Time) < g.config.EndpointInterval || g.hasPod(endpoint) {
			continue
		}
		err := g.client.CiliumV2().CiliumEndpoints(endpoint.Namespace).Delete(ctx, endpoint.Name, metav1.DeleteOptions{
			// Keep the endpoint of a newer pod with the same name.
			Preconditions: &metav1.Preconditions{UID: &endpoint.UID},
		})
		if err != nil && !errors.IsNotFound(err) && !errors.IsConflict(err) {
			return err
		}
		g.log.Info("removed a CiliumEndpoint without a pod", slog.String("namespace", endpoint.Namespace), slog.String("name", endpoint.Name))
	}
	return nil
}

// hasPod reports whether the endpoint's pod may run. It is true for an endpoint that does not belong to a pod.
func (g *garbage) hasPod(endpoint *cilium_v2.CiliumEndpoint) bool {
	name := endpoint.Name
	for _, owner := range endpoint.OwnerReferences {
		if owner.Kind != "Pod" {
			return true
		}
		name = owner.Name
	}
	pod, err := g.pods.Pods(endpoint.Namespace).Get(name)
	// A pod that has ended still has its object, but its address may belong to another pod.
	return err == nil && pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed
}

func (g *garbage) removeNodes(ctx context.Context) error {
	nodes, err := g.ciliumNodes.List(labels.Everything())
	if err != nil {
		return err
	}
	orphans := map[string]bool{}
	defer func() { g.orphans = orphans }()
	for _, node := range nodes {
		if _, err := g.nodes.Get(node.Name); !errors.IsNotFound(err) || len(node.OwnerReferences) > 0 || node.Annotations["cilium.io/do-not-gc"] == "true" {
			continue
		}
		if !g.orphans[node.Name] {
			orphans[node.Name] = true
			continue
		}
		if err := g.client.CiliumV2().CiliumNodes().Delete(ctx, node.Name, metav1.DeleteOptions{}); err != nil && !errors.IsNotFound(err) {
			return err
		}
		g.log.Info("removed a CiliumNode without a node", slog.String("name", node.Name))
	}
	return nil
}
