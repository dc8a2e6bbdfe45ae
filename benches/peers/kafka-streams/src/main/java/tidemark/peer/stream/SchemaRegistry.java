package tidemark.peer.stream;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import org.apache.avro.Schema;

/** Fetches schemas from a Confluent-compatible registry. Fails while it is unavailable: nothing is parked. */
class SchemaRegistry {
    private static final int NOT_FOUND = 404;
    private static final int OK = 200;

    private final String url;
    private final HttpClient client = HttpClient.newHttpClient();

    SchemaRegistry(String url) {
        this.url = url;
    }

    Schema schema(int id) throws UndecodableException {
        URI uri = URI.create(url + "/schemas/ids/" + id);
        HttpRequest request = HttpRequest.newBuilder(uri).build();
        try {
            HttpResponse<String> response =
                    client.send(request, HttpResponse.BodyHandlers.ofString());
            if (response.statusCode() == NOT_FOUND) {
                throw new UndecodableException("no schema has the id " + id);
            }
            if (response.statusCode() != OK) {
                throw new RegistryUnavailableError("status " + response.statusCode());
            }
            String schema = new ObjectMapper().readTree(response.body()).get("schema").asText();
            return new Schema.Parser().parse(schema);
        } catch (IOException e) {
            throw new RegistryUnavailableError(e.toString());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new RegistryUnavailableError("interrupted");
        }
    }

    /** The registry is unavailable, which is no fault of the event: the thread ends, and the event is read again. */
    static final class RegistryUnavailableError extends Error {
        private static final long serialVersionUID = 1;

        RegistryUnavailableError(String reason) {
            super("the registry is unavailable: " + reason);
        }
    }
}
