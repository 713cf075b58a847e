/* A complete small device in C, without a library: a valve that can be opened. MQTT 3.1.1 over a POSIX socket, as an
 * ESP32 has it (lwIP). On an ESP32, `mbedtls_sha256` and `esp_random` can take the place of `sha256_hex` and `rand`.
 *
 *     cc -o valve examples/devices/valve.c
 *     ./valve PRODUCT_KEY DEVICE_KEY DEVICE_SECRET [HOST [PORT]]
 */
#define _POSIX_C_SOURCE 200112L
#include <netdb.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECT = 0x10, CONNACK = 0x20, PUBLISH = 0x30, PUBACK = 0x40, PINGREQ = 0xc0 };
enum { KEEP_ALIVE_S = 60, PACKET_MAX = 4096, PAUSE_MAX_S = 60 };

/* SHA-256 (FIPS 180-4) of a text, as hexadecimal digits. */
static void sha256_hex(const char *text, char hex[65]) {
    static const uint32_t k[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
        0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
        0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
        0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
        0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
        0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
        0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
        0xc67178f2};
    uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    size_t length = strlen(text), blocks = (length + 9 + 63) / 64;
    for (size_t b = 0; b < blocks; b++) {
        uint32_t w[64], v[8];
        for (size_t i = 0; i < 64; i++) {
            size_t at = b * 64 + i, last = blocks * 64 - 8;
            uint8_t byte = at < length ? (uint8_t)text[at] : at == length ? 0x80 : 0;
            if (at >= last) byte = (uint8_t)((uint64_t)length * 8 >> (8 * (blocks * 64 - 1 - at)));
            w[i / 4] = i % 4 ? w[i / 4] << 8 | byte : byte;
        }
#define ROTATE(x, n) ((x) >> (n) | (x) << (32 - (n)))
        for (size_t i = 16; i < 64; i++)
            w[i] = w[i - 16] + (ROTATE(w[i - 15], 7) ^ ROTATE(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 7] +
                   (ROTATE(w[i - 2], 17) ^ ROTATE(w[i - 2], 19) ^ w[i - 2] >> 10);
        memcpy(v, h, sizeof v);
        for (size_t i = 0; i < 64; i++) {
            uint32_t s1 = ROTATE(v[4], 6) ^ ROTATE(v[4], 11) ^ ROTATE(v[4], 25);
            uint32_t t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
            uint32_t s0 = ROTATE(v[0], 2) ^ ROTATE(v[0], 13) ^ ROTATE(v[0], 22);
            uint32_t t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
            memmove(v + 1, v, 7 * sizeof *v);
            v[4] += t1;
            v[0] = t1 + t2;
        }
        for (size_t i = 0; i < 8; i++) h[i] += v[i];
    }
    for (size_t i = 0; i < 8; i++) sprintf(hex + 8 * i, "%08x", (unsigned)h[i]);
}

static int send_all(int socket_fd, const void *bytes, size_t count) {
    for (const char *at = bytes; count > 0;) {
        ssize_t sent = send(socket_fd, at, count, 0);
        if (sent <= 0) return -1;
        at += sent;
        count -= (size_t)sent;
    }
    return 0;
}

static int receive_all(int socket_fd, void *bytes, size_t count) {
    for (char *at = bytes; count > 0;) {
        ssize_t received = recv(socket_fd, at, count, 0);
        if (received <= 0) return -1;
        at += received;
        count -= (size_t)received;
    }
    return 0;
}

/* Appends a text with its length, as MQTT has it. */
static size_t put_text(uint8_t *at, const char *text) {
    size_t length = strlen(text);
    at[0] = (uint8_t)(length >> 8);
    at[1] = (uint8_t)length;
    memcpy(at + 2, text, length);
    return length + 2;
}

static int send_packet(int socket_fd, uint8_t type, const uint8_t *body, size_t length) {
    uint8_t head[5] = {type};
    size_t size = 1, rest = length;
    do {
        head[size] = rest % 128;
        rest /= 128;
        if (rest > 0) head[size] |= 128;
        size++;
    } while (rest > 0);
    return send_all(socket_fd, head, size) < 0 ? -1 : send_all(socket_fd, body, length);
}

static int publish(int socket_fd, const char *topic, const char *payload) {
    static uint16_t packet_id;
    uint8_t body[PACKET_MAX];
    size_t length = put_text(body, topic);
    if (++packet_id == 0) packet_id = 1;
    body[length++] = (uint8_t)(packet_id >> 8);
    body[length++] = (uint8_t)packet_id;
    memcpy(body + length, payload, strlen(payload));
    return send_packet(socket_fd, PUBLISH | 2 /* QoS 1 */, body, length + strlen(payload));
}

/* Carries a command out and replies on its topic with `_reply`. */
static int handle(int socket_fd, const char *topic, const char *payload) {
    char id[32] = "", reply_topic[520], reply[256];
    const char *percent = strstr(payload, "\"percent\":"), *at = strstr(payload, "\"id\":\"");
    size_t end = strlen(topic);
    if (end > 6 && strcmp(topic + end - 6, "_reply") == 0) return 0; /* the answer to a report of this device */
    if (at == NULL || sscanf(at, "\"id\":\"%31[^\"]", id) != 1) return 0;
    int known = end > 5 && strcmp(topic + end - 5, "/open") == 0 && percent != NULL;
    if (known) printf("opening to %ld %%\n", strtol(percent + 10, NULL, 10));
    fflush(stdout);
    snprintf(reply_topic, sizeof reply_topic, "%s_reply", topic);
    /* The id is copied as a text. 200 is success, any other code is this device's own error code. */
    snprintf(reply, sizeof reply, "{\"id\":\"%s\",\"code\":%d,\"data\":{},\"message\":\"%s\"}", id, known ? 200 : 404,
             known ? "" : "no such service");
    return publish(socket_fd, reply_topic, reply);
}

/* Reads one packet and answers it. */
static int serve_packet(int socket_fd) {
    static uint8_t body[PACKET_MAX];
    uint8_t type, digit;
    size_t length = 0, shift = 0;
    if (receive_all(socket_fd, &type, 1) < 0) return -1;
    do {
        if (shift > 21 || receive_all(socket_fd, &digit, 1) < 0) return -1;
        length |= (size_t)(digit & 127) << shift;
        shift += 7;
    } while (digit & 128);
    if (length >= sizeof body || receive_all(socket_fd, body, length) < 0) return -1;
    if ((type & 0xf0) != PUBLISH) return 0; /* PUBACK and PINGRESP need no answer */
    char topic[512];
    size_t named = (size_t)body[0] << 8 | body[1], at = 2 + named;
    if (named >= sizeof topic || at > length) return -1;
    memcpy(topic, body + 2, named);
    topic[named] = 0;
    if (type & 6) {
        if (send_packet(socket_fd, PUBACK, body + at, 2) < 0) return -1;
        at += 2;
    }
    body[length] = 0;
    return handle(socket_fd, topic, (char *)body + at);
}

static int log_in(int socket_fd, const char *product, const char *device, const char *secret) {
    char content[512], client_id[256], user[256], password[65];
    uint8_t body[1024] = {0, 4, 'M', 'Q', 'T', 'T', 4, 0xc2 /* user, password, clean session */, 0, KEEP_ALIVE_S};
    uint8_t answer[4];
    long stamp = (long)time(NULL);
    snprintf(content, sizeof content, "clientId%sdeviceKey%sproductKey%stimestamp%ld%s", device, device, product, stamp, secret);
    sha256_hex(content, password);
    snprintf(client_id, sizeof client_id, "%s|securemode=2,signmethod=sha256,timestamp=%ld|", device, stamp);
    snprintf(user, sizeof user, "%s&%s", device, product);
    size_t length = 10;
    length += put_text(body + length, client_id);
    length += put_text(body + length, user);
    length += put_text(body + length, password);
    if (send_packet(socket_fd, CONNECT, body, length) < 0 || receive_all(socket_fd, answer, 4) < 0) return -1;
    if (answer[0] != CONNACK || answer[3] != 0) {
        fprintf(stderr, "refused: %d\n", answer[3]);
        return -1;
    }
    return 0;
}

static int open_socket(const char *host, const char *port) {
    struct addrinfo wanted = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    if (getaddrinfo(host, port, &wanted, &found) != 0) return -1;
    int socket_fd = socket(found->ai_family, found->ai_socktype, found->ai_protocol);
    if (socket_fd >= 0 && connect(socket_fd, found->ai_addr, found->ai_addrlen) < 0) {
        close(socket_fd);
        socket_fd = -1;
    }
    freeaddrinfo(found);
    return socket_fd;
}

/* Serves commands until the connection is lost. */
static void serve(int socket_fd, const char *product, const char *device) {
    char topic[256];
    printf("connected\n");
    fflush(stdout);
    snprintf(topic, sizeof topic, "/sys/%s/%s/thing/measurepoint/post", product, device);
    int lost = publish(socket_fd, topic,
                       "{\"id\":\"1\",\"version\":\"1.0\",\"method\":\"thing.measurepoint.post\","
                       "\"params\":{\"measurepoints\":{\"setpoint\":0}}}");
    while (lost == 0) {
        struct pollfd ready = {.fd = socket_fd, .events = POLLIN};
        int events = poll(&ready, 1, KEEP_ALIVE_S * 1000 / 2);
        lost = events > 0 ? serve_packet(socket_fd) : events < 0 ? -1 : send_packet(socket_fd, PINGREQ, NULL, 0);
    }
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: valve PRODUCT_KEY DEVICE_KEY DEVICE_SECRET [HOST [PORT]]\n");
        return 2;
    }
    srand((unsigned)time(NULL) ^ (unsigned)getpid());
    for (unsigned pause = 1;;) {
        int socket_fd = open_socket(argc > 4 ? argv[4] : "127.0.0.1", argc > 5 ? argv[5] : "11883");
        if (socket_fd >= 0 && log_in(socket_fd, argv[1], argv[2], argv[3]) == 0) {
            pause = 1;
            serve(socket_fd, argv[1], argv[2]);
        }
        if (socket_fd >= 0) close(socket_fd);
        /* Twice as long after each failure, and a part of it by chance: a fleet does not come back all at once. */
        sleep(pause / 2 + (unsigned)rand() % (pause / 2 + 1) + 1);
        pause = pause * 2 > PAUSE_MAX_S ? PAUSE_MAX_S : pause * 2;
    }
}
