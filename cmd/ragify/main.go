// Command ragify turns PDFs into clean, citable text behind an HTTP API.
package main

func main() {}
