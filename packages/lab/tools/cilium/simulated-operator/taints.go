package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
)

const retryAfter = time.Second

// taints keep pods off nodes whose agent is not ready.
type taints struct {
	log     *slog.Logger
	config  config
	client  kubernetes.Interface
	agents  labels.Selector
	nodes   corelisters.NodeLister
	pods    corelisters.PodLister
	changed chan struct{}
}

func newTaints(log *slog.Logger, config config, client kubernetes.Interface, objects informers.SharedInformerFactory) (*taints, error) {
	agents, err := labels.Parse(config.AgentLabels)
	if err != nil {
		return nil, fmt.Errorf("cilium-pod-labels: %w", err)
	}
	nodes, pods := objects.Core().V1().Nodes(), objects.Core().V1().Pods()
	t := &taints{
		log: log, config: config, client: client, agents: agents, nodes: nodes.Lister(), pods: pods.Lister(), changed: make(chan struct{}, 1),
	}
	for _, informer := range []cache.SharedIndexInformer{nodes.Informer(), pods.Informer()} {
		_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { t.trigger() },
			UpdateFunc: func(any, any) { t.trigger() },
			DeleteFunc: func(any) { t.trigger() },
		})
		if err != nil {
			return nil, err
		}
	}
	return t, nil
}

// trigger requests a run. One pending request is enough.
func (t *taints) trigger() {
	select {
	case t.changed <- struct{}{}:
	default:
	}
}

func (t *taints) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.changed:
		}
		if err := t.markAll(ctx); err != nil && ctx.Err() == nil {
			t.log.Warn("cannot mark a node, retrying", slog.Any("error", err))
			time.AfterFunc(retryAfter, t.trigger)
		}
	}
}

func (t *taints) markAll(ctx context.Context) error {
	pods, err := t.pods.Pods(t.config.Namespace).List(t.agents)
	if err != nil {
		return err
	}
	// Whether an agent is ready, by node. An agent that is being deleted counts as not ready.
	ready := map[string]bool{}
	for _, pod := range pods {
		ready[pod.Spec.NodeName] = ready[pod.Spec.NodeName] || pod.DeletionTimestamp == nil && isReady(pod)
	}
	nodes, err := t.nodes.List(labels.Everything())
	if err != nil {
		return err
	}
	var failures []error
	for _, node := range nodes {
		if up, scheduled := ready[node.Name]; scheduled {
			failures = append(failures, t.mark(ctx, node, up))
		}
	}
	return errors.Join(failures...)
}

func (t *taints) mark(ctx context.Context, node *corev1.Node, up bool) error {
	others := slices.DeleteFunc(slices.Clone(node.Spec.Taints), func(taint corev1.Taint) bool { return taint.Key == t.config.TaintKey })
	tainted := len(others) < len(node.Spec.Taints)
	switch {
	case up && tainted && t.config.RemoveTaint:
		if err := t.setTaints(ctx, node, others); err != nil {
			return err
		}
	case !up && !tainted && t.config.SetTaint:
		return t.setTaints(ctx, node, append(others, corev1.Taint{Key: t.config.TaintKey, Effect: corev1.TaintEffectNoSchedule}))
	}
	if !up || !t.config.SetUp || isUp(node) {
		return nil
	}
	now := metav1.Now()
	condition := corev1.NodeCondition{
		Type:               corev1.NodeNetworkUnavailable,
		Status:             corev1.ConditionFalse,
		Reason:             "CiliumIsUp",
		Message:            "Cilium is running on this node",
		LastTransitionTime: now,
		LastHeartbeatTime:  now,
	}
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": []corev1.NodeCondition{condition}}})
	if err != nil {
		return err
	}
	_, err = t.client.CoreV1().Nodes().PatchStatus(ctx, node.Name, patch)
	return err
}

// setTaints replaces the taints if the node has not changed meanwhile: otherwise a newer taint of another writer would be lost.
func (t *taints) setTaints(ctx context.Context, node *corev1.Node, taints []corev1.Taint) error {
	patch, err := json.Marshal([]map[string]any{
		{"op": "test", "path": "/metadata/resourceVersion", "value": node.ResourceVersion},
		{"op": "add", "path": "/spec/taints", "value": taints},
	})
	if err != nil {
		return err
	}
	_, err = t.client.CoreV1().Nodes().Patch(ctx, node.Name, types.JSONPatchType, patch, metav1.PatchOptions{})
	return err
}

func isReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(condition corev1.PodCondition) bool {
		return condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue
	})
}

func isUp(node *corev1.Node) bool {
	return slices.ContainsFunc(node.Status.Conditions, func(condition corev1.NodeCondition) bool {
		return condition.Type == corev1.NodeNetworkUnavailable && condition.Status == corev1.ConditionFalse && condition.Reason == "CiliumIsUp"
	})
}
