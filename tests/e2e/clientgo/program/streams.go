package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	core "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/client-go/util/exec"
)

// run executes commands in a pod over each kind of stream.
func run(w world) error {
	for _, command := range []struct {
		words []string
		stdin string
	}{
		{[]string{"sh", "-c", "echo out; echo err >&2; exit 7"}, ""},
		{[]string{"cat"}, strings.Repeat("a line of input\n", 20000)},
		{[]string{"nosuch"}, ""},
	} {
		request := w.client.CoreV1().RESTClient().Post().Namespace(namespace).Resource("pods").Name("console").SubResource("exec").
			VersionedParams(&core.PodExecOptions{Command: command.words, Stdin: command.stdin != "", Stdout: true, Stderr: true}, scheme.ParameterCodec)
		over, err := executors(w.config, request.URL())
		if err != nil {
			return err
		}
		for _, executor := range over {
			var out, errors bytes.Buffer
			options := remotecommand.StreamOptions{Stdout: &out, Stderr: &errors}
			if command.stdin != "" {
				options.Stdin = strings.NewReader(command.stdin)
			}
			err = executor.StreamWithContext(w, options)
			code := 0
			if exit, ok := err.(exec.CodeExitError); ok {
				code, err = exit.Code, nil
			}
			said := out.String()
			if len(said) > 100 {
				said = fmt.Sprint(len(said), " bytes, as sent: ", said == command.stdin)
			}
			fmt.Printf("%s: out %q err %q code %d, %v\n", command.words[0], said, errors.String(), code, err)
		}
	}
	return nil
}

// forward reaches ports of a pod.
func forward(w world) error {
	url := w.client.CoreV1().RESTClient().Post().Namespace(namespace).Resource("pods").Name("console").SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(w.config)
	if err != nil {
		return err
	}
	dialers, err := tunnels(w.config, url)
	if err != nil {
		return err
	}
	for _, dialer := range append(dialers, spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)) {
		stop, ready, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		forwarder, err := portforward.New(dialer, []string{"0:8080"}, stop, ready, io.Discard, io.Discard)
		if err != nil {
			return err
		}
		go func() { ended <- forwarder.ForwardPorts() }()
		select {
		case <-ready:
		case err = <-ended:
			return err
		case <-w.Done():
			return w.Err()
		}
		ports, err := forwarder.GetPorts()
		if err != nil {
			return err
		}
		where := fmt.Sprintf("127.0.0.1:%d", ports[0].Local)
		for _, path := range []string{"/one", "/two"} {
			answer, err := http.Get("http://" + where + path)
			if err != nil {
				return err
			}
			body, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			fmt.Println(strings.TrimSpace(string(body)), err)
		}
		raw, err := net.Dial("tcp", where)
		if err != nil {
			return err
		}
		sent := strings.Repeat("echo me", 10000)
		go func() {
			_, _ = io.WriteString(raw, sent)
			_ = raw.(*net.TCPConn).CloseWrite()
		}()
		back, err := io.ReadAll(raw)
		raw.Close()
		fmt.Println(len(back), "bytes back, as sent:", string(back) == sent, err)
		close(stop)
		fmt.Println("ended:", <-ended)
	}
	return nil
}

// logs follows a pod that goes on talking.
func logs(w world) error {
	stream, err := w.client.CoreV1().Pods(namespace).GetLogs("ticker", &core.PodLogOptions{Follow: true}).Stream(w)
	if err != nil {
		return err
	}
	defer stream.Close()
	lines := bufio.NewScanner(stream)
	for count := 0; count < 4 && lines.Scan(); count++ {
		fmt.Println(strings.Fields(lines.Text())[0])
	}
	return lines.Err()
}
