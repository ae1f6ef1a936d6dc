package client_test

import (
	"context"
	"fmt"

	"nexus/apiserver/api"
	"nexus/apiserver/client"
)

func Example() {
	server := newFixture(example{}) // stands for a running server
	defer server.Close()

	c, err := client.New(server.URL, "alice-key")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	file, err := client.Call(context.Background(), c, api.Read, api.ReadParams{PathParams: api.PathParams{Path: "/docs/a.txt"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s\n", file.Content)

	// Calls in a batch travel together, and each has a result of its own.
	batch := c.Batch()
	ann := client.Add(batch, api.Check, api.AskParams{Subject: api.Ref{"user", "ann"}, Permission: "read", Object: api.Ref{"file", "/docs/a.txt"}})
	bob := client.Add(batch, api.Check, api.AskParams{Subject: api.Ref{"user", "bob"}, Permission: "write", Object: api.Ref{"file", "/docs/a.txt"}})
	if err := batch.Do(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	reads, err := ann.Result()
	fmt.Println(reads.Allowed, err)
	writes, err := bob.Result()
	fmt.Println(writes.Allowed, err)

	// Output:
	// hello
	// true <nil>
	// false <nil>
}
