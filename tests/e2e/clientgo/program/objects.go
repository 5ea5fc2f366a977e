package main

import (
	"encoding/json"
	"fmt"
	"sort"

	authorization "k8s.io/api/authorization/v1"
	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	applied "k8s.io/client-go/applyconfigurations/core/v1"
)

func configMap(name string, data map[string]string) *core.ConfigMap {
	return &core.ConfigMap{ObjectMeta: meta.ObjectMeta{Name: name}, Data: data}
}

// pages lists two at a time, as far as it goes.
func pages(w world) error {
	for _, all := range []string{namespace, ""} {
		var names []string
		options, count := meta.ListOptions{Limit: 2}, 0
		for {
			found, err := w.client.CoreV1().ConfigMaps(all).List(w, options)
			if err != nil {
				return err
			}
			for _, one := range found.Items {
				names = append(names, one.Namespace+"/"+one.Name)
			}
			count++
			if options.Continue = found.Continue; options.Continue == "" {
				break
			}
		}
		sort.Strings(names)
		fmt.Println(count, "pages", names)
	}
	return nil
}

// secret reads one, and writes back what it read.
func secret(w world) error {
	secrets := w.client.CoreV1().Secrets(namespace)
	found, err := secrets.Get(w, "db-credentials", meta.GetOptions{})
	if err != nil {
		return err
	}
	for _, key := range []string{"api-token", "password", "username"} {
		fmt.Printf("%s=%s\n", key, found.Data[key])
	}
	_, err = secrets.Update(w, found, meta.UpdateOptions{})
	fmt.Println("written back:", err)
	return nil
}

// apply owns fields on the server's side, and meets another owner.
func apply(w world) error {
	maps := w.client.CoreV1().ConfigMaps(namespace)
	wanted := applied.ConfigMap("applied", namespace).WithData(map[string]string{"a": "1", "b": "2"})
	for _, manager := range []string{"one", "two"} {
		found, err := maps.Apply(w, wanted, meta.ApplyOptions{FieldManager: manager})
		if err != nil {
			return err
		}
		fmt.Println(manager, found.Data, len(found.ManagedFields))
	}
	_, err := maps.Apply(w, applied.ConfigMap("applied", namespace).WithData(map[string]string{"a": "3"}), meta.ApplyOptions{FieldManager: "two"})
	fmt.Println("conflict:", errors.IsConflict(err))
	found, err := maps.Apply(w, applied.ConfigMap("applied", namespace).WithData(map[string]string{"a": "3"}), meta.ApplyOptions{FieldManager: "two", Force: true})
	if err != nil {
		return err
	}
	fmt.Println("forced", found.Data)
	return nil
}

// patch changes an object in each of the ways.
func patch(w world) error {
	maps := w.client.CoreV1().ConfigMaps(namespace)
	if _, err := maps.Create(w, configMap("patched", map[string]string{"a": "1"}), meta.CreateOptions{}); err != nil {
		return err
	}
	for kind, body := range map[types.PatchType]string{
		types.MergePatchType:          `{"data":{"merge":"2"}}`,
		types.StrategicMergePatchType: `{"data":{"strategic":"3"}}`,
		types.JSONPatchType:           `[{"op":"add","path":"/data/json","value":"4"}]`,
	} {
		if _, err := maps.Patch(w, "patched", kind, []byte(body), meta.PatchOptions{}); err != nil {
			return err
		}
	}
	found, err := maps.Patch(w, "patched", types.MergePatchType, []byte(`{"data":{"a":null}}`), meta.PatchOptions{DryRun: []string{"All"}})
	if err != nil {
		return err
	}
	fmt.Println("tried", found.Data)
	found, err = maps.Get(w, "patched", meta.GetOptions{})
	if err != nil {
		return err
	}
	fmt.Println("is", found.Data)
	return nil
}

// conflict writes from a version that is no more, and with preconditions that do not hold.
func conflict(w world) error {
	maps := w.client.CoreV1().ConfigMaps(namespace)
	first, err := maps.Create(w, configMap("contended", nil), meta.CreateOptions{})
	if err != nil {
		return err
	}
	_, err = maps.Create(w, configMap("contended", nil), meta.CreateOptions{})
	fmt.Println("again:", errors.IsAlreadyExists(err), err)
	second := first.DeepCopy()
	second.Data = map[string]string{"by": "second"}
	if _, err = maps.Update(w, second, meta.UpdateOptions{}); err != nil {
		return err
	}
	_, err = maps.Update(w, first, meta.UpdateOptions{})
	fmt.Println("late:", errors.IsConflict(err), errors.ReasonForError(err))
	other := types.UID("00000000-0000-0000-0000-000000000000")
	err = maps.Delete(w, "contended", meta.DeleteOptions{Preconditions: &meta.Preconditions{UID: &other}})
	fmt.Println("another's:", errors.IsConflict(err))
	err = maps.Delete(w, "nothing", meta.DeleteOptions{})
	fmt.Println("nothing:", errors.IsNotFound(err), err)
	return nil
}

// remove deletes a Deployment, and says what it was told.
func remove(w world) error {
	background := meta.DeletePropagationBackground
	err := w.client.AppsV1().Deployments(namespace).Delete(w, "worker", meta.DeleteOptions{PropagationPolicy: &background})
	fmt.Println("deleted:", err)
	if status, ok := err.(errors.APIStatus); ok {
		fmt.Println(status.Status().Code, status.Status().Reason)
	}
	_, err = w.client.AppsV1().Deployments(namespace).Get(w, "worker", meta.GetOptions{})
	fmt.Println("gone:", errors.IsNotFound(err))
	return nil
}

// protobuf speaks as Kubernetes' own components do.
func protobuf(w world) error {
	config := rest.CopyConfig(w.config)
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	maps := client.CoreV1().ConfigMaps(namespace)
	if _, err = maps.Create(w, configMap("packed", map[string]string{"a": "1"}), meta.CreateOptions{}); err != nil {
		return err
	}
	found, err := maps.Get(w, "packed", meta.GetOptions{})
	if err != nil {
		return err
	}
	fmt.Println(found.Data)
	found.Data["b"] = "2"
	if found, err = maps.Update(w, found, meta.UpdateOptions{}); err != nil {
		return err
	}
	fmt.Println(found.Data)
	pods, err := client.CoreV1().Pods(namespace).List(w, meta.ListOptions{LabelSelector: "app=console"})
	if err != nil {
		return err
	}
	fmt.Println(len(pods.Items), pods.Items[0].Spec.Containers[0].Image)
	return nil
}

// anything finds out what there is, and works with a kind that no program knows.
func anything(w world) error {
	groups, lists, err := w.client.Discovery().ServerGroupsAndResources()
	if err != nil {
		return err
	}
	fmt.Println(len(groups), "groups", len(lists), "lists")
	version, err := w.client.Discovery().ServerVersion()
	if err != nil {
		return err
	}
	fmt.Println(version.Major, version.Minor)
	schemas, err := w.client.Discovery().OpenAPIV3().Paths()
	if err != nil {
		return err
	}
	fmt.Println(len(schemas), "schemas")
	backups := w.dynamic.Resource(schema.GroupVersionResource{Group: "demo.example", Version: "v1", Resource: "backups"}).Namespace(namespace)
	made, err := backups.Create(w, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "demo.example/v1", "kind": "Backup", "metadata": map[string]any{"name": "made"}, "spec": map[string]any{"schedule": "@daily", "keep": int64(3)},
	}}, meta.CreateOptions{})
	if err != nil {
		return err
	}
	fmt.Println(made.GetName(), made.Object["spec"])
	found, err := backups.List(w, meta.ListOptions{})
	if err != nil {
		return err
	}
	fmt.Println(len(found.Items), found.GetKind())
	return nil
}

// table asks for what kubectl prints.
func table(w world) error {
	body, err := w.client.CoreV1().RESTClient().Get().Namespace(namespace).Resource("configmaps").
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json").DoRaw(w)
	if err != nil {
		return err
	}
	var found meta.Table
	if err = json.Unmarshal(body, &found); err != nil {
		return err
	}
	for _, column := range found.ColumnDefinitions {
		fmt.Print(column.Name, " ")
	}
	fmt.Println()
	for _, row := range found.Rows {
		fmt.Println(row.Cells[:2])
	}
	return nil
}

// access asks what it may.
func access(w world) error {
	for _, verb := range []string{"get", "delete"} {
		review := &authorization.SelfSubjectAccessReview{Spec: authorization.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorization.ResourceAttributes{Namespace: namespace, Verb: verb, Resource: "pods"},
		}}
		found, err := w.client.AuthorizationV1().SelfSubjectAccessReviews().Create(w, review, meta.CreateOptions{})
		if err != nil {
			return err
		}
		fmt.Println(verb, found.Status.Allowed)
	}
	return nil
}

// evict asks for a pod's eviction.
func evict(w world) error {
	err := w.client.CoreV1().Pods(namespace).EvictV1(w, &policy.Eviction{ObjectMeta: meta.ObjectMeta{Name: "ticker", Namespace: namespace}})
	fmt.Println("evicted:", err)
	return nil
}

// scale sets the size of a Deployment.
func scale(w world) error {
	deployments := w.client.AppsV1().Deployments(namespace)
	found, err := deployments.GetScale(w, "worker", meta.GetOptions{})
	if err != nil {
		return err
	}
	fmt.Println("is", found.Spec.Replicas)
	found.Spec.Replicas = 3
	found, err = deployments.UpdateScale(w, "worker", found, meta.UpdateOptions{})
	if err != nil {
		return err
	}
	fmt.Println("wants", found.Spec.Replicas)
	return nil
}
