package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/cilium/cilium/operator/pkg/ipam/allocator"
	"github.com/cilium/cilium/operator/pkg/ipam/allocator/clusterpool"
	"github.com/cilium/cilium/pkg/annotation"
	cilium_v2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	k8sClient "github.com/cilium/cilium/pkg/k8s/client"
	ciliuminformers "github.com/cilium/cilium/pkg/k8s/client/informers/externalversions"
)

// A pool gives each CiliumNode its CIDRs from the cluster's pool, with Cilium's own allocator.
type pool struct {
	allocator allocator.NodeEventHandler
	listed    cache.InformerSynced
}

func newPool(
	ctx context.Context, log *slog.Logger, config config, client k8sClient.Clientset, objects ciliuminformers.SharedInformerFactory,
) (*pool, error) {
	blocks := &clusterpool.AllocatorOperator{
		ClusterPoolIPv4CIDR:     config.IPv4Pool,
		ClusterPoolIPv4MaskSize: config.IPv4MaskSize,
		ClusterPoolIPv6CIDR:     config.IPv6Pool,
		ClusterPoolIPv6MaskSize: config.IPv6MaskSize,
	}
	if err := blocks.Init(ctx, log); err != nil {
		return nil, err
	}
	handler, err := blocks.Start(ctx, nodes{client}, nil)
	if err != nil {
		return nil, fmt.Errorf("the cluster's pool: %w", err)
	}
	upsert := func(object any) {
		node := object.(*cilium_v2.CiliumNode)
		if !strings.EqualFold(node.Annotations[annotation.IPAMIgnore], "true") {
			handler.Upsert(node)
		}
	}
	registration, err := objects.Cilium().V2().CiliumNodes().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    upsert,
		UpdateFunc: func(_, object any) { upsert(object) },
		DeleteFunc: func(object any) {
			if last, missed := object.(cache.DeletedFinalStateUnknown); missed {
				object = last.Obj
			}
			handler.Delete(object.(*cilium_v2.CiliumNode))
		},
	})
	if err != nil {
		return nil, err
	}
	return &pool{allocator: handler, listed: registration.HasSynced}, nil
}

// run starts the allocator once it knows all allocated CIDRs: earlier it could allocate one twice.
func (p *pool) run(ctx context.Context) {
	if cache.WaitForCacheSync(ctx.Done(), p.listed) {
		p.allocator.Resync(ctx, time.Time{})
		<-ctx.Done()
	}
	p.allocator.Stop()
}

// nodes are the CiliumNodes that the allocator reads and writes.
type nodes struct{ client k8sClient.Clientset }

func (n nodes) Create(node *cilium_v2.CiliumNode) (*cilium_v2.CiliumNode, error) {
	return n.client.CiliumV2().CiliumNodes().Create(context.Background(), node, metav1.CreateOptions{})
}

func (n nodes) Get(name string) (*cilium_v2.CiliumNode, error) {
	return n.client.CiliumV2().CiliumNodes().Get(context.Background(), name, metav1.GetOptions{})
}

func (n nodes) Update(before, node *cilium_v2.CiliumNode) (*cilium_v2.CiliumNode, error) {
	if before != nil && before.Spec.DeepEqual(&node.Spec) {
		return nil, nil
	}
	return n.client.CiliumV2().CiliumNodes().Update(context.Background(), node, metav1.UpdateOptions{})
}

func (n nodes) UpdateStatus(before, node *cilium_v2.CiliumNode) (*cilium_v2.CiliumNode, error) {
	if before != nil && before.Status.DeepEqual(&node.Status) {
		return nil, nil
	}
	return n.client.CiliumV2().CiliumNodes().UpdateStatus(context.Background(), node, metav1.UpdateOptions{})
}
