// Package api is the HTTP contract: openapi.yaml, and the server types generated from it.
package api

import _ "embed"

//go:generate go tool oapi-codegen -config oapi-codegen.yaml -o server.gen.go openapi.yaml

// Spec is openapi.yaml as served at GET /openapi.yaml. Do not modify.
//
//go:embed openapi.yaml
var Spec []byte

// DocumentSchema is the JSON schema of the output format "json". Do not modify.
//
//go:embed document.schema.json
var DocumentSchema []byte

// ChunkSchema is the JSON schema of each line of the output format "chunks". Do not modify.
//
//go:embed chunk.schema.json
var ChunkSchema []byte
