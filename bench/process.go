package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a server we started.
type process struct {
	cmd     *exec.Cmd
	end     os.Signal
	ended   chan struct{}
	logPath string
}

// start starts cmd, with its output in a file.
func start(cmd *exec.Cmd, logPath string, end syscall.Signal) (*process, error) {
	// Appending, so that the file can be emptied between measurements while it is written to.
	out, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	leash(cmd.SysProcAttr, end)
	cmd.SysProcAttr.Setpgid = true // Ctrl-C is for us: we end the others in order
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, end: end, ended: make(chan struct{}), logPath: logPath}
	go func() { cmd.Wait(); close(p.ended) }()
	return p, nil
}

// await returns when ready does, with an error when the process ended or half a minute passed.
func (p *process) await(ctx context.Context, ready func() error) error {
	var err error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		if err = ready(); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), p.stop())
		case <-p.ended:
			return fmt.Errorf("%s ended at once:\n%s", p.name(), p.lastLines())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return errors.Join(fmt.Errorf("%s is not ready: %w\n%s", p.name(), err, p.lastLines()), p.stop())
}

func (p *process) name() string { return filepath.Base(p.cmd.Path) }

func (p *process) lastLines() string {
	text, _ := os.ReadFile(p.logPath)
	return string(text[max(0, len(text)-2000):])
}

// stop ends the process and waits for it.
func (p *process) stop() error {
	if p == nil {
		return nil
	}
	p.cmd.Process.Signal(p.end)
	select {
	case <-p.ended:
		return nil
	case <-time.After(60 * time.Second):
		return fmt.Errorf("%s does not end", p.name())
	}
}

// ticks is the unit of CPU times in /proc on every Linux that Go runs on: a hundredth of a second.
const ticks = 10 * time.Millisecond

// stat is what /proc/PID/stat says of a process.
type stat struct {
	parent        int
	own, children time.Duration // user and system together; children are those that ended
}

func readStat(pid string) (stat, error) {
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return stat{}, err
	}
	_, rest, ok := bytes.Cut(text, []byte(") ")) // the name, in parentheses, is any text
	fields := strings.Fields(string(rest))
	if !ok || len(fields) < 15 {
		return stat{}, fmt.Errorf("/proc/%s/stat is not understood", pid)
	}
	var n [15]int64
	for i := 1; i < len(n); i++ {
		if n[i], err = strconv.ParseInt(fields[i], 10, 64); err != nil {
			return stat{}, err
		}
	}
	return stat{parent: int(n[1]), own: time.Duration(n[11]+n[12]) * ticks, children: time.Duration(n[13]+n[14]) * ticks}, nil
}

// cpu is what the process itself has used.
func (p *process) cpu() (time.Duration, error) {
	s, err := readStat(strconv.Itoa(p.cmd.Process.Pid))
	return s.own, err
}

// familyCPU is what a process and its children have used.
func familyCPU(pid int) (time.Duration, error) {
	head, err := readStat(strconv.Itoa(pid))
	if err != nil {
		return 0, err
	}
	sum := head.own + head.children
	paths, err := filepath.Glob("/proc/[0-9]*")
	for _, path := range paths {
		if s, err := readStat(filepath.Base(path)); err == nil && s.parent == pid {
			sum += s.own
		}
	}
	return sum, err
}
