#!/usr/bin/env python3
"""Sends a picture to Ganglion and prints what comes back. Needs: pip install -r requirements.txt

    python ganglion_client.py frame  --stream cam-1 picture.jpg      # as a frame of a stream, wait for its result
    python ganglion_client.py infer  --query scoreboard picture.jpg  # one question, one answer
    python ganglion_client.py follow --query scoreboard --count 10   # results as they come

The messages are described in docs/reference.md; only msgpack and NATS are needed, nothing of Ganglion itself.
"""
import argparse
import asyncio
import sys

import msgpack
import nats


def describe(result: dict) -> str:
    """One line for people: outcome, latency, and the texts, labels or boxes found."""
    found = []
    for stage, answers in result["stages"].items():
        for answer in answers:
            output = answer["output"]
            if output["kind"] == "text":
                found.append(repr(output["text"]))
            elif output["kind"] == "classes":
                found.append(", ".join(str(c.get("label", c["index"])) for c in output["classes"][:1]))
            elif output["kind"] == "boxes":
                found.append(f"{len(output['boxes'])} boxes by {stage}")
    line = f"{result['outcome']:<8} {result['latencyMs']:7.1f} ms  {' '.join(found)}"
    if "trouble" in result:
        line += f"  ({result['trouble']['at']}: {result['trouble']['detail']})"
    return line


async def send_frame(nc, args) -> int:
    """Publishes one frame and waits for its result."""
    done = asyncio.get_running_loop().create_future()

    async def on_result(message) -> None:
        result = msgpack.unpackb(message.data)
        if result.get("seq") == args.seq and not done.done():
            done.set_result(result)

    await nc.subscribe(f"{args.prefix}.results.{args.tenant}.*.{args.stream}", cb=on_result)
    await nc.flush()
    with open(args.picture, "rb") as file:
        picture = {"encoding": "jpeg", "data": file.read()}
    frame = {"v": 1, "seq": args.seq, "picture": picture, "meta": {"camera": args.stream}}
    await nc.publish(f"{args.prefix}.frames.{args.tenant}.{args.stream}", msgpack.packb(frame))
    try:
        result = await asyncio.wait_for(done, args.timeout)
    except asyncio.TimeoutError:
        print(f"no result within {args.timeout} s: does a query read stream {args.stream}? (ganglion status)", file=sys.stderr)
        return 1
    print(describe(result))
    return 0 if result["outcome"] in ("ok", "late") else 1


async def infer(nc, args) -> int:
    """Asks one question about one picture."""
    with open(args.picture, "rb") as file:
        request = {"v": 1, "payload": {"encoding": "jpeg", "data": file.read()}}
    subject = f"{args.prefix}.infer.{args.tenant}.{args.query}"
    try:
        reply = await nc.request(subject, msgpack.packb(request), timeout=args.timeout)
    except nats.errors.NoRespondersError:
        print(f"nobody answers on {subject}: is a query router running?", file=sys.stderr)
        return 1
    except nats.errors.TimeoutError:
        print(f"no answer within {args.timeout} s", file=sys.stderr)
        return 1
    result = msgpack.unpackb(reply.data)
    if "error" in result:
        print(f"{result['error']['code']}: {result['error']['detail']}", file=sys.stderr)
        return 1
    print(describe(result))
    return 0 if result["outcome"] in ("ok", "late") else 1


async def follow(nc, args) -> int:
    """Prints results of a query as they come."""
    subscription = await nc.subscribe(f"{args.prefix}.results.{args.tenant}.{args.query}.*")
    for _ in range(args.count):
        try:
            message = await subscription.next_msg(timeout=args.timeout)
        except nats.errors.TimeoutError:
            print(f"no result of {args.query} within {args.timeout} s", file=sys.stderr)
            return 1
        result = msgpack.unpackb(message.data)
        print(f"{result['stream']} #{result['seq']}: {describe(result)}")
    return 0


async def quietly(_error) -> None:
    """The client of NATS would print a stack for each attempt to connect; what matters is told at the end."""


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["frame", "infer", "follow"])
    parser.add_argument("picture", nargs="?", help="a JPEG")
    parser.add_argument("--nats", default="nats://127.0.0.1:4222")
    parser.add_argument("--prefix", default="ganglion")
    parser.add_argument("--tenant", default="default")
    parser.add_argument("--stream", default="python")
    parser.add_argument("--query", default="scoreboard")
    parser.add_argument("--seq", type=int, default=0)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--timeout", type=float, default=10, help="seconds")
    args = parser.parse_intermixed_args()  # the picture may stand behind the options
    if args.command != "follow" and not args.picture:
        parser.error("which picture?")
    try:
        nc = await nats.connect(
            args.nats, connect_timeout=3, max_reconnect_attempts=1, reconnect_time_wait=0.2, error_cb=quietly
        )
    except (OSError, nats.errors.Error) as error:
        print(f"no NATS at {args.nats}: {error}", file=sys.stderr)
        return 1
    try:
        return await {"frame": send_frame, "infer": infer, "follow": follow}[args.command](nc, args)
    finally:
        await nc.close()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
