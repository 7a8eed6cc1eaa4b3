package main

import (
	"context"
	"log/slog"

	"github.com/cilium/hive/cell"
	"github.com/cilium/hive/job"

	"github.com/cilium/cilium/clustermesh-apiserver/syncstate"
	mcsapitypes "github.com/cilium/cilium/pkg/clustermesh/mcsapi/types"
	servicestore "github.com/cilium/cilium/pkg/clustermesh/store"
	cmtypes "github.com/cilium/cilium/pkg/clustermesh/types"
	slicestore "github.com/cilium/cilium/pkg/clustermesh/types/endpointslice"
	"github.com/cilium/cilium/pkg/identity/cache"
	"github.com/cilium/cilium/pkg/ipcache"
	"github.com/cilium/cilium/pkg/kvstore"
	"github.com/cilium/cilium/pkg/kvstore/store"
	nodestore "github.com/cilium/cilium/pkg/node/store"
)

// An export is one prefix of etcd. Its entries are computed from all current objects, so that deleted objects, and namespaces that are no longer global, need no code of
// their own.
type export struct {
	store   store.SyncStore
	entries func(*objects) []store.Key
	// ready is called once the first entries and their marker are written.
	ready   func(context.Context)
	written map[string]store.NamedKey
}

type exportParams struct {
	cell.In

	Log     *slog.Logger
	Jobs    job.Group
	Cluster cmtypes.ClusterInfo
	Mode    cmtypes.ServiceModeV2Config
	Etcd    kvstore.Client
	Stores  store.Factory
	State   syncstate.SyncState
	Watches watches
}

// exportAll keeps etcd in sync with the API server.
func exportAll(p exportParams) {
	var exports []*export
	add := func(prefix, marker string, entries func(*objects) []store.Key) {
		exports = append(exports, &export{
			store:   p.Stores.NewSyncStore(p.Cluster.Name, p.Etcd, prefix, store.WSSWithSyncedKeyOverride(marker)),
			entries: entries,
			ready:   p.State.WaitForResource(),
		})
	}
	addresses := kvstore.JoinKey(ipcache.IPIdentitiesPath, ipcache.DefaultAddressSpace)
	add(nodestore.NodeStorePrefix, nodestore.NodeStorePrefix, nodeEntries(p.Cluster))
	add(kvstore.JoinKey(cache.IdentitiesPath, "id"), cache.IdentitiesPath, identityEntries)
	add(addresses, ipcache.IPIdentitiesPath, endpointEntries)
	add(slicestore.EndpointSliceStorePrefix, slicestore.EndpointSliceStorePrefix, sliceEntries(p.Cluster))
	if p.Mode.ServiceModeV2.ShouldExportLegacyServices() {
		add(servicestore.ServiceStorePrefix, servicestore.ServiceStorePrefix, serviceEntries(p.Log, p.Cluster))
	}
	// There are none, but a peer that supports service exports waits for their marker.
	add(mcsapitypes.ServiceExportStorePrefix, mcsapitypes.ServiceExportStorePrefix, func(*objects) []store.Key { return nil })
	// Readiness waits for these exports only.
	p.State.Stop()

	for _, export := range exports {
		p.Jobs.Add(job.OneShot("write", func(ctx context.Context, _ cell.Health) error {
			export.store.Run(ctx)
			return nil
		}))
	}
	p.Jobs.Add(job.OneShot("export", func(ctx context.Context, _ cell.Health) error {
		changed := make(chan struct{}, 1)
		objects, err := p.Watches.follow(ctx, changed)
		if err != nil {
			return err
		}
		for first := true; ; first = false {
			for _, export := range exports {
				export.write(ctx, p.Log, objects)
				if first {
					export.store.Synced(ctx, export.ready)
				}
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return nil
			}
		}
	}))
}

// write updates the prefix to match the objects. Of two entries with the same key, the first one wins.
func (e *export) write(ctx context.Context, log *slog.Logger, from *objects) {
	wanted := map[string]store.NamedKey{}
	for _, entry := range e.entries(from) {
		key := entry.GetKeyName()
		if wanted[key] != nil {
			continue
		}
		wanted[key] = entry
		// This fails only for an entry that cannot be encoded: the store retries what etcd rejects, and skips what is stored already.
		if err := e.store.UpsertKey(ctx, entry); err != nil {
			log.Error("cannot encode an entry", slog.String("key", key), slog.Any("error", err))
		}
	}
	for key, entry := range e.written {
		if wanted[key] == nil {
			e.store.DeleteKey(ctx, entry)
		}
	}
	e.written = wanted
}
