package peers

import (
	"fmt"
	"os"
)

// NginxModules is the folder of the modules in Debian.
const NginxModules = "/usr/lib/nginx/modules/"

// Nginx is nginx with what it has by itself.
func Nginx() Peer {
	return Peer{
		Name: "nginx", About: "nginx",
		Can:   func(s Setup) bool { return s == Setup{TLS: s.TLS, Rate: s.Rate} },
		Needs: func(World) []string { return []string{"nginx"} },
		Start: func(w World, s Setup, dir string, port int) ([]Command, error) {
			return startNginx(w, s, dir, port, nginxParts{})
		},
	}
}

// nginxParts are what the scripted variants add to the configuration.
type nginxParts struct {
	modules string // before everything
	http    string // in the http block
	guard   string // in each location, before proxy_pass
	extra   string // more locations
}

// nginxText is tuned as its documentation advises for a proxy in front of a
// backend with kept connections. The cipher is the one that the Go peers choose.
const nginxText = `%[1]s
daemon off;
user %[2]s;
worker_processes 1;
pid %[3]s/nginx.pid;
error_log %[3]s/error.log error;
events { worker_connections 12000; }
http {
  client_body_temp_path %[3]s/body; proxy_temp_path %[3]s/proxy;
  fastcgi_temp_path %[3]s/fastcgi; uwsgi_temp_path %[3]s/uwsgi; scgi_temp_path %[3]s/scgi;
!chain|  access_log off;
chain|  log_format audit escape=json '{"time":"$time_iso8601","client":"$remote_addr","method":"$request_method","uri":"$request_uri","status":$status,"bytes":$bytes_sent,"seconds":$request_time,"id":"$request_id","subject":"$gate_subject","role":"$gate_role"}';
chain|  access_log %[3]s/access.log audit;
  keepalive_requests 1000000000;
  client_body_buffer_size 64k;
  proxy_max_temp_file_size 0;
  proxy_buffers 16 16k; proxy_buffer_size 16k;
  sendfile on; tcp_nopush on;
  upstream backend { server %[4]s; keepalive 256; keepalive_requests 1000000000; }
rate|  limit_req_zone $binary_remote_addr zone=wide:10m rate=1000000r/s;
rate|  limit_req_zone $binary_remote_addr zone=narrow:10m rate=5r/m;
rate|  limit_req_status 429;
%[5]s
  server {
!tls|    listen 127.0.0.1:%[6]d backlog=4096;
tls|    listen 127.0.0.1:%[6]d ssl http2 backlog=4096;
tls|    ssl_certificate %[7]s; ssl_certificate_key %[8]s;
tls|    ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
tls|    http2_max_concurrent_streams 250;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
chain|    set $gate_subject "";
chain|    set $gate_role "";
    location / {
rate|      limit_req zone=wide burst=100000 nodelay;
%[9]s
      proxy_pass http://backend;
    }
rate|    location /limited/ {
rate|      limit_req zone=narrow burst=4 nodelay;
rate|      proxy_pass http://backend;
rate|    }
%[10]s
  }
}
`

func startNginx(w World, s Setup, dir string, port int, parts nginxParts) ([]Command, error) {
	user := "nobody"
	if os.Getuid() == 0 {
		user = "root" // the folder is closed to others
	}
	text := only(fmt.Sprintf(nginxText, parts.modules, user, dir, w.Upstream, parts.http, port, w.Cert, w.Key, parts.guard, parts.extra), s.conditions())
	file, err := write(dir, "nginx.conf", text)
	if err != nil {
		return nil, err
	}
	nginx, err := Find("nginx")
	if err != nil {
		return nil, err
	}
	return []Command{{Args: []string{nginx, "-p", dir, "-e", dir + "/error.log", "-c", file}}}, nil
}
