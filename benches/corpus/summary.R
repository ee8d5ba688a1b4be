sales <- data.frame(region = rep(c("n", "s", "e", "w"), 250), amount = seq_len(1000) %% 97)
print(summary(sales$amount))
aggregate(amount ~ region, data = sales, FUN = mean)
