package main

import (
	"fmt"
	"log/slog"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	k8sconst "github.com/cilium/cilium/pkg/k8s/apis/cilium.io"
	"github.com/cilium/cilium/pkg/k8s/apis/cilium.io/client"
	"github.com/cilium/cilium/pkg/k8s/apis/crdhelpers"
	k8sClient "github.com/cilium/cilium/pkg/k8s/client"
	"github.com/cilium/cilium/pkg/k8s/synced"
	"github.com/cilium/cilium/pkg/versioncheck"
)

// registerCRDs registers all CRDs in parallel. Cilium's own RegisterCRDs registers them one by one, each in half a second or more, while every agent waits.
func registerCRDs(log *slog.Logger, clientset k8sClient.Clientset) error {
	known := client.CustomResourceDefinitionList()
	needsUpdate := crdhelpers.NeedsUpdateV1Factory(
		k8sconst.CustomResourceDefinitionSchemaVersionKey,
		versioncheck.MustVersion(k8sconst.CustomResourceDefinitionSchemaVersion),
	)
	var all errgroup.Group
	for _, resource := range synced.AllCiliumCRDResourceNames() {
		found, ok := known[resource]
		if !ok {
			return fmt.Errorf("unknown CRD %s", resource)
		}
		all.Go(func() error {
			crd := client.GetPregeneratedCRD(log, found.Name)
			crd.ObjectMeta = metav1.ObjectMeta{
				Name:   found.FullName,
				Labels: map[string]string{k8sconst.CustomResourceDefinitionSchemaVersionKey: k8sconst.CustomResourceDefinitionSchemaVersion},
			}
			return crdhelpers.CreateUpdateCRD(log, clientset, &crd, crdhelpers.NewDefaultPoller(), needsUpdate)
		})
	}
	return all.Wait()
}
