// Command go-sdk calls the vendor's Go SDK for a test: a line on standard input is a call, a line on standard output its result.
//
// A call is {"operation": "ShowVgw", "request": {…}}: a method of the SDK's client, and its request object by the SDK's own JSON names.
// A result is {"response": {…}}, the object that the SDK made of the answer, or {"error": {…}}. A call without a request only asks
// whether the SDK has the operation: {"has": true}.
// The arguments are endpoint, access key, secret key and project id.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"
	vpn "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/vpn/v5"
)

type call struct {
	Operation string          `json:"operation"`
	Request   json.RawMessage `json:"request"`
}

func main() {
	endpoint, accessKey, secretKey, project := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	credentials, err := basic.NewCredentialsBuilder().WithAk(accessKey).WithSk(secretKey).WithProjectId(project).SafeBuild()
	must(err)
	http, err := vpn.VpnClientBuilder().WithEndpoint(endpoint).WithCredential(credentials).SafeBuild()
	must(err)
	client := reflect.ValueOf(vpn.NewVpnClient(http))
	calls, results := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for calls.More() {
		var next call
		must(calls.Decode(&next))
		must(results.Encode(perform(client, next)))
	}
}

// perform calls one method of the client.
func perform(client reflect.Value, next call) map[string]any {
	method := client.MethodByName(next.Operation)
	if next.Request == nil {
		return map[string]any{"has": method.IsValid()}
	}
	request := reflect.New(method.Type().In(0).Elem())
	must(json.Unmarshal(next.Request, request.Interface()))
	returned := method.Call([]reflect.Value{request})
	if err, failed := returned[1].Interface().(error); failed {
		return map[string]any{"error": described(err)}
	}
	return map[string]any{"response": returned[0].Interface()}
}

// described gives what a caller can read of an error: all fields of the service's, the text of any other.
func described(err error) map[string]any {
	var refused *sdkerr.ServiceResponseError
	if errors.As(err, &refused) {
		return map[string]any{
			"status": refused.StatusCode, "code": refused.ErrorCode, "message": refused.ErrorMessage, "request_id": refused.RequestId,
		}
	}
	return map[string]any{"message": err.Error()}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
