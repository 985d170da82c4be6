#!/bin/sh
# What MiniStack finds as `node`. It unpacks layers beside a function's code and leaves /opt alone; here they become /opt, later ones
# over earlier ones, read-only, in a mount namespace of the function's own. Node.js then finds modules where Lambda's runtime does.
# $1 is the script of MiniStack's that loads the function; CDK_ONNX_TEST_NODE the real Node.js; CDK_ONNX_TEST_MODULES has the AWS SDK.
set -eu
environment=$(dirname "$1")
opt=$environment/opt
rm -rf "$opt"
mkdir "$opt"
for layer in "$environment"/layer_*; do
  [ ! -d "$layer" ] || cp -alf "$layer/." "$opt/"
done
# Links to packages of the layers, which Lambda does not make.
find "$environment/code/node_modules" -maxdepth 1 -type l -delete 2>/dev/null || true
export NODE_PATH="/opt/nodejs/node24/node_modules:/opt/nodejs/node_modules:$CDK_ONNX_TEST_MODULES"
user=
[ "$(id -u)" = 0 ] || user=--map-root-user
exec unshare --mount $user -- sh -c 'mount --bind "$0" /opt && mount -o remount,bind,ro /opt && exec "$@"' \
  "$opt" "$CDK_ONNX_TEST_NODE" "$@"
