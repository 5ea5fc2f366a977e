// One case of a program on client-go: what it prints is the same wherever its kubeconfig leads, or the gateway changed something.
package main

import (
	"context"
	"fmt"
	"os"
	"sort"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const namespace = "shop"

// world is what a case works with.
type world struct {
	context.Context
	config  *rest.Config
	client  kubernetes.Interface
	dynamic dynamic.Interface
}

var cases = map[string]func(world) error{
	"pages":        pages,
	"informer":     informer,
	"resume":       resume,
	"secret":       secret,
	"apply":        apply,
	"patch":        patch,
	"conflict":     conflict,
	"delete":       remove,
	"protobuf":     protobuf,
	"anything":     anything,
	"table":        table,
	"exec":         run,
	"port-forward": forward,
	"logs":         logs,
	"lease":        lease,
	"access":       access,
	"evict":        evict,
	"scale":        scale,
}

func main() {
	if len(os.Args) != 3 || cases[os.Args[2]] == nil {
		names := make([]string, 0, len(cases))
		for name := range cases {
			names = append(names, name)
		}
		sort.Strings(names)
		fmt.Fprintln(os.Stderr, "expected a kubeconfig and one of", names)
		os.Exit(2)
	}
	if err := once(os.Args[1], cases[os.Args[2]]); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

func once(kubeconfig string, work func(world) error) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 200, 200
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	untyped, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(context.Background(), 50*time.Second)
	defer stop()
	return work(world{ctx, config, client, untyped})
}
