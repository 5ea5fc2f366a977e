package main

import (
	"context"
	"fmt"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	watching "k8s.io/client-go/tools/watch"
)

// informer keeps a copy of what there is, and hears of every change.
func informer(w world) error {
	factory := informers.NewSharedInformerFactoryWithOptions(w.client, 0, informers.WithNamespace(namespace))
	maps := factory.Core().V1().ConfigMaps()
	seen := make(chan string, 100)
	_, err := maps.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(one any) { seen <- "added " + one.(*core.ConfigMap).Name },
		UpdateFunc: func(_, one any) {
			seen <- fmt.Sprint("updated ", one.(*core.ConfigMap).Name, " ", one.(*core.ConfigMap).Data)
		},
		DeleteFunc: func(one any) { seen <- "deleted " + one.(*core.ConfigMap).Name },
	})
	if err != nil {
		return err
	}
	factory.Start(w.Done())
	for kind, synced := range factory.WaitForCacheSync(w.Done()) {
		if !synced {
			return fmt.Errorf("%v was never there", kind)
		}
	}
	until := func(wanted string) error {
		for {
			select {
			case event := <-seen:
				if event == wanted {
					fmt.Println(event)
					return nil
				}
			case <-w.Done():
				return fmt.Errorf("never %s", wanted)
			}
		}
	}
	api := w.client.CoreV1().ConfigMaps(namespace)
	made, err := api.Create(w, configMap("watched", nil), meta.CreateOptions{})
	if err != nil {
		return err
	}
	if err = until("added watched"); err != nil {
		return err
	}
	made.Data = map[string]string{"a": "1"}
	if _, err = api.Update(w, made, meta.UpdateOptions{}); err != nil {
		return err
	}
	if err = until("updated watched map[a:1]"); err != nil {
		return err
	}
	held, err := maps.Lister().ConfigMaps(namespace).Get("watched")
	if err != nil {
		return err
	}
	fmt.Println("kept", held.Data)
	if err = api.Delete(w, "watched", meta.DeleteOptions{}); err != nil {
		return err
	}
	return until("deleted watched")
}

// resume watches on from a version, over a watch that ends by its time.
func resume(w world) error {
	api := w.client.CoreV1().ConfigMaps(namespace)
	found, err := api.List(w, meta.ListOptions{})
	if err != nil {
		return err
	}
	second := int64(1)
	source := &cache.ListWatch{WatchFunc: func(options meta.ListOptions) (watch.Interface, error) {
		options.TimeoutSeconds = &second
		return api.Watch(w, options)
	}}
	watcher, err := watching.NewRetryWatcher(found.ResourceVersion, source)
	if err != nil {
		return err
	}
	defer watcher.Stop()
	for _, name := range []string{"before", "after"} {
		if _, err = api.Create(w, configMap(name, nil), meta.CreateOptions{}); err != nil {
			return err
		}
		for event := range watcher.ResultChan() {
			if made, ok := event.Object.(*core.ConfigMap); ok && made.Name == name {
				fmt.Println(event.Type, made.Name)
				break
			}
		}
		// Longer than one watch lasts: the next event comes over another.
		time.Sleep(1200 * time.Millisecond)
	}
	return nil
}

// renewed waits until the lease was renewed by who leads, so that the next renewal is some time away.
func renewed(w world) error {
	for w.Err() == nil {
		found, err := w.client.CoordinationV1().Leases(namespace).Get(w, "leader", meta.GetOptions{})
		if err != nil {
			return err
		}
		if found.Spec.RenewTime.After(found.Spec.AcquireTime.Time) {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return w.Err()
}

// lease lets two candidates lead, one after the other.
func lease(w world) error {
	for _, name := range []string{"first", "second"} {
		ctx, stop := context.WithCancel(w)
		lock := &resourcelock.LeaseLock{
			LeaseMeta: meta.ObjectMeta{Name: "leader", Namespace: namespace}, Client: w.client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: name},
		}
		led, renewal := false, error(nil)
		leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
			Lock: lock, ReleaseOnCancel: true, LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(context.Context) {
					led, renewal = true, renewed(w)
					stop()
				},
				OnStoppedLeading: func() {},
			},
		})
		stop()
		if renewal != nil {
			return renewal
		}
		found, err := w.client.CoordinationV1().Leases(namespace).Get(w, "leader", meta.GetOptions{})
		if err != nil {
			return err
		}
		fmt.Printf("%s led: %v, then held by %q\n", name, led, *found.Spec.HolderIdentity)
	}
	return nil
}
