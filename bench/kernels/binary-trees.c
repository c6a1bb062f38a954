// Allocation and recursion: builds, counts and frees full binary trees of depths 4, 6, … n, as many of each that they have
// about as many nodes together. Answers the sum of all counts.
#include "allocate.h"

struct node {
  struct node *left, *right;
};

static struct node *build(int depth) {
  struct node *node = allocate(sizeof(struct node));
  node->left = depth == 0 ? 0 : build(depth - 1);
  node->right = depth == 0 ? 0 : build(depth - 1);
  return node;
}

static int count(const struct node *node) {
  return node->left == 0 ? 1 : 1 + count(node->left) + count(node->right);
}

static void destroy(struct node *node) {
  if (node->left != 0) destroy(node->left), destroy(node->right);
  release(node, sizeof(struct node));
}

__attribute__((export_name("run"))) int run(int n) {
  start();
  int total = 0;
  struct node *lasting = build(n);
  for (int depth = 4; depth <= n; depth += 2)
    for (int i = 0; i < 1 << (n - depth); i++) {
      struct node *tree = build(depth);
      total += count(tree);
      destroy(tree);
    }
  total += count(lasting);
  destroy(lasting);
  return total;
}
