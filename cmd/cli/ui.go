package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"fmsr.example/fmsr/internal/ui"
	"fmsr.example/fmsr/pipeline"
)

func uiCommand(out io.Writer) *cobra.Command {
	listen := "127.0.0.1:8420"
	cmd := &cobra.Command{
		GroupID: aboutRuns,
		Use:     "ui FOLDER...",
		Short:   "Serve a page over folders of runs, while they go on and after",
		Long: `ui serves one page over the runs in the folders, for a browser: curves of several runs over
each other, fields by step with a wipe between input, generated, target and other runs, spectra, metrics
with their meaning, and the keys that differ. It follows runs that go on.

It reads these folders alone, needs no network, and serves this machine alone. With --listen
and another address, other machines may connect: the address that it prints then holds a
token, without which nothing is served. For a run on another machine, ssh -L 8420:localhost:8420
HOST is safer. Ctrl-C ends it.`,
		Example: `  fmsr ui runs
  fmsr ui runs/first /scratch/sweep --listen 127.0.0.1:9000`,
		Args: usage(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, dirs []string) error {
			socket, err := net.Listen("tcp", listen)
			if err != nil {
				return &pipeline.InputError{Err: err}
			}
			defer socket.Close()
			address := socket.Addr().(*net.TCPAddr)
			server, err := ui.New(dirs, !address.IP.IsLoopback())
			if err != nil {
				return &pipeline.InputError{Err: err}
			}
			defer server.Close()
			fmt.Fprintf(out, "ui        %s\n", addressOf(address, server.Token))
			if err := serve(cmd.Context(), socket, server); err != nil {
				return &runFailed{error: err}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&listen, "listen", listen, "address to serve at; port 0: any that is free")
	return cmd
}

// addressOf returns what to open in a browser.
func addressOf(address *net.TCPAddr, token string) string {
	if token == "" {
		return fmt.Sprintf("http://%s/", address)
	}
	host := address.IP.String()
	if address.IP.IsUnspecified() {
		host = "HOST"
	}
	return fmt.Sprintf("http://%s/?token=%s", net.JoinHostPort(host, fmt.Sprint(address.Port)), token)
}

// serve answers until the context ends. It returns when nothing is being answered any more, or
// two seconds later.
func serve(ctx context.Context, socket net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	shut := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(shut)
		soon, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = server.Shutdown(soon)
	})
	err := server.Serve(socket)
	if !stop() {
		<-shut // Serve has returned before
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
