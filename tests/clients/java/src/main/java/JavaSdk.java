import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.huaweicloud.sdk.core.auth.BasicCredentials;
import com.huaweicloud.sdk.core.exception.ServiceResponseException;
import com.huaweicloud.sdk.core.utils.JsonUtils;
import com.huaweicloud.sdk.vpn.v5.VpnClient;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Calls the vendor's Java SDK for a test: a line on standard input is a call, a line on standard output its result.
 *
 * <p>A call is {"operation": "ShowVgw", "request": {…}}: a method of the SDK's client, and its request object by the SDK's own
 * JSON names. A result is {"response": {…}}, the object that the SDK made of the answer, or {"error": {…}}. A call without a
 * request only asks whether the SDK has the operation: {"has": true}. The arguments are endpoint, access key, secret key and
 * project id.
 */
public final class JavaSdk {
  private static final ObjectMapper JSON = new ObjectMapper();

  public static void main(String[] arguments) throws Exception {
    BasicCredentials credentials =
        new BasicCredentials().withAk(arguments[1]).withSk(arguments[2]).withProjectId(arguments[3]);
    VpnClient client = VpnClient.newBuilder().withCredential(credentials).withEndpoint(arguments[0]).build();
    BufferedReader calls = new BufferedReader(new InputStreamReader(System.in));
    for (String line = calls.readLine(); line != null; line = calls.readLine()) {
      System.out.println(JSON.writeValueAsString(perform(client, JSON.readTree(line))));
    }
    System.exit(0); // the SDK's connection pool has threads of its own
  }

  /** Calls one method of the client. */
  private static Map<String, Object> perform(VpnClient client, JsonNode call) throws IOException, IllegalAccessException {
    String operation = call.get("operation").asText();
    String name = Character.toLowerCase(operation.charAt(0)) + operation.substring(1);
    Method method =
        Arrays.stream(VpnClient.class.getMethods()).filter(one -> one.getName().equals(name)).findFirst().orElse(null);
    if (!call.has("request")) {
      return Map.of("has", method != null);
    }
    Object request = JsonUtils.toObject(call.get("request").toString(), method.getParameterTypes()[0]);
    try {
      return Map.of("response", JSON.readTree(JsonUtils.toJSON(method.invoke(client, request))));
    } catch (InvocationTargetException failed) {
      return Map.of("error", described(failed.getCause()));
    }
  }

  /** What a caller can read of an error: all fields of the service's, the text of any other. */
  private static Map<String, Object> described(Throwable error) {
    Map<String, Object> told = new LinkedHashMap<>();
    if (error instanceof ServiceResponseException refused) {
      told.put("status", refused.getHttpStatusCode());
      told.put("code", refused.getErrorCode());
      told.put("message", refused.getErrorMsg());
      told.put("request_id", refused.getRequestId());
    } else {
      told.put("message", error.toString());
    }
    return told;
  }
}
