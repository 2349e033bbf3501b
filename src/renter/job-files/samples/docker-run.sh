# After the GPU, volume and environment examples of docker/cli docs/reference/commandline/container_run.md
sudo docker run -it --rm --name train --gpus '"device=1,2"' \
  -m 300M --memory-swap 1G --cpus="0.5" \
  -e MYVAR1 --env MYVAR2=foo --env-file ./env.list \
  --mount type=bind,src=/data/set,dst=/foo,readonly \
  -v /var/run/docker.sock:/var/run/docker.sock \
  -p 127.0.0.1:80:8080/tcp --ulimit nofile=1024:1024 --shm-size=1g \
  ubuntu:22.04 bash -c 'nvidia-smi && ls /foo'
