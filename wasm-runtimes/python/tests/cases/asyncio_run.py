import asyncio


async def work(name, delay):
    await asyncio.sleep(delay)
    print(name)
    return name


async def main():
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work(n, d)) for n, d in (("slow", 0.02), ("fast", 0.001))]
    print([task.result() for task in tasks])
    try:
        async with asyncio.timeout(0.001):
            await asyncio.sleep(10)
    except TimeoutError:
        print("timed out")
    queue = asyncio.Queue()
    await queue.put(1)
    print(await queue.get())


asyncio.run(main())
