process.exitCode = 3; console.log("a"); process.on("exit", c => console.log("bye", c))
