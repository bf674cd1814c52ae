package main

import "github.com/spf13/cobra"

func newInspect(g *global) *cobra.Command { return &cobra.Command{Use: "inspect"} }
