package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"

	"github.com/cilium/hive/cell"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/cilium/cilium/pkg/hive"
	k8sClient "github.com/cilium/cilium/pkg/k8s/client"
	ciliuminformers "github.com/cilium/cilium/pkg/k8s/client/informers/externalversions"
)

const lease = "cilium-operator-resource-lock"

// takePart leads or waits until it can. A replica that loses the Lease exits, since another may lead already; its pod restarts it.
func takePart(lifecycle cell.Lifecycle, log *slog.Logger, config config, client k8sClient.Clientset, shutdowner hive.Shutdowner) error {
	if !client.IsEnabled() {
		return errors.New("no API server is configured: set --k8s-kubeconfig-path, or run in a pod")
	}
	if err := config.check(); err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	identity := host + "-" + rand.String(10)
	lock, err := resourcelock.New(
		resourcelock.LeasesResourceLock, config.Namespace, lease, client.CoreV1(), client.CoordinationV1(), resourcelock.ResourceLockConfig{Identity: identity},
	)
	if err != nil {
		return err
	}

	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Name:            lease,
		Lock:            lock,
		ReleaseOnCancel: true,
		LeaseDuration:   config.LeaseDuration,
		RenewDeadline:   config.RenewDeadline,
		RetryPeriod:     config.RetryPeriod,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) {
				log.Info("Leading the operator HA deployment")
				if err := lead(ctx, log, config, client); err != nil {
					shutdowner.Shutdown(hive.ShutdownWithError(err))
				}
			},
			OnStoppedLeading: func() {
				if ctx.Err() == nil {
					shutdowner.Shutdown(hive.ShutdownWithError(errors.New("lost the Lease: another replica may lead")))
				}
			},
		},
	})
	if err != nil {
		cancel()
		return err
	}
	lifecycle.Append(cell.Hook{
		OnStart: func(cell.HookContext) error {
			running.Go(func() { elector.Run(ctx) })
			return nil
		},
		OnStop: func(cell.HookContext) error {
			cancel()
			running.Wait()
			return nil
		},
	})
	return nil
}

// lead does the operator's work until the context ends.
func lead(ctx context.Context, log *slog.Logger, config config, clientset k8sClient.Clientset) error {
	if err := registerCRDs(log, clientset); err != nil {
		return err
	}
	kubernetes := informers.NewSharedInformerFactory(clientset, 0)
	cilium := ciliuminformers.NewSharedInformerFactory(clientset, 0)

	pool, err := newPool(ctx, log, config, clientset, cilium)
	if err != nil {
		return err
	}
	taints, err := newTaints(log, config, clientset, kubernetes)
	if err != nil {
		return err
	}
	garbage := newGarbage(log, config, clientset, kubernetes, cilium)

	kubernetes.Start(ctx.Done())
	cilium.Start(ctx.Done())
	kubernetes.WaitForCacheSync(ctx.Done())
	cilium.WaitForCacheSync(ctx.Done())

	var work sync.WaitGroup
	work.Go(func() { pool.run(ctx) })
	work.Go(func() { taints.run(ctx) })
	work.Go(func() { garbage.run(ctx) })
	work.Wait()
	return nil
}
