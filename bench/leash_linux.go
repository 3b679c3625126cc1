package main

import "syscall"

// leash has the kernel end a process when we die, however we die.
func leash(attr *syscall.SysProcAttr, end syscall.Signal) { attr.Pdeathsig = end }
